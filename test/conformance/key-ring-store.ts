/** The rules of src/keyring/store.ts, and of the kid that a mint reads, for every back end. */
import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { test } from 'tap'
import type { PublicJwk, SealedKey } from '../../src/keyring/store.js'
import type { ClientId, Kid } from '../../src/principal.js'
import { type OpenWorld, random, sessionId, times, type World } from './world.js'

async function sealedKey(): Promise<SealedKey> {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    format: 'jwk',
  })
  const kid = await calculateJwkThumbprint({ kty: 'EC', crv: 'P-256', x, y })
  const publicJwk: PublicJwk = { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' }
  return { kid: kid as Kid, publicJwk, sealed: random(180), kekId: 'first' }
}

async function founded(world: World) {
  const first = { signer: await sealedKey(), standby: await sealedKey() }
  return { ...first, answer: await world.keys.found(first) }
}

/** The kid that the statement which reads the session names. */
const minting = async (world: World) =>
  (
    await world.sessions.readForMint(sessionId(), {
      tenant: undefined,
      client: 'mintmark' as ClientId,
      origin: undefined,
    })
  ).kid

export function keyRingStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of a key ring store`, async t => {
    await t.test('an empty ring has no keys and no signer', async t => {
      const world = await open(t)
      t.strictSame(await world.keys.read(), { keys: [], signer: undefined, signerAgeSeconds: undefined })
      t.equal(await minting(world), undefined)
    })

    await t.test(
      'the first two keys are read back as they went in: one signs now, one stands by',
      async t => {
        const world = await open(t)
        const before = await world.arrange.now()
        const { signer, standby, answer } = await founded(world)
        t.equal(answer, 'founded')
        const ring = await world.keys.read()
        t.equal(ring.signer, signer.kid)
        t.equal(await minting(world), signer.kid)
        t.equal(ring.keys.length, 2)
        for (const key of [signer, standby]) {
          const { signsFrom, ...stored } = ring.keys.find(({ kid }) => kid === key.kid) ?? ({} as never)
          t.strictSame(stored, key)
          if (key === standby) t.equal(signsFrom, null)
          else t.ok(signsFrom && signsFrom >= before && signsFrom <= (await world.arrange.now()))
        }
        const again = await world.keys.read()
        t.strictSame(
          { ...again, signerAgeSeconds: 0 },
          { ...ring, signerAgeSeconds: 0 },
          'in the same order again',
        )
        t.ok((again.signerAgeSeconds ?? -1) >= (ring.signerAgeSeconds ?? 0), 'and the signer is older')
      },
    )

    await t.test('a ring is founded once: of ten that try at once nine keep none of theirs', async t => {
      const world = await open(t)
      const all = await times(10, () => founded(world))
      const winners = all.filter(({ answer }) => answer === 'founded')
      t.equal(winners.length, 1)
      t.equal(all.filter(({ answer }) => answer === 'already-founded').length, 9)
      const { keys, signer } = await world.keys.read()
      t.equal(signer, winners[0]?.signer.kid)
      t.strictSame(
        keys.map(({ kid }) => kid).sort(),
        [winners[0]?.signer.kid, winners[0]?.standby.kid].sort(),
      )
      t.equal((await founded(world)).answer, 'already-founded', 'nor later')
    })

    await t.test(
      'the signer is the latest key whose time has come, for the list and for the mint alike',
      async t => {
        const world = await open(t)
        const { signer, standby } = await founded(world)
        await world.arrange.schedule(signer.kid, { signsFrom: -100 })
        const steps = [
          ['a standby scheduled for later', standby.kid, { signsFrom: 60 }, signer.kid],
          ['its time has come', standby.kid, { signsFrom: -1 }, standby.kid],
          ['a standby again', standby.kid, { signsFrom: null }, signer.kid],
          ['the older of two', standby.kid, { signsFrom: -200 }, signer.kid],
        ] as const
        for (const [what, kid, times, expected] of steps) {
          await world.arrange.schedule(kid, times)
          t.equal((await world.keys.read()).signer, expected, what)
          t.equal(await minting(world), expected, what)
        }
      },
    )

    await t.test(
      'the age of the signer is how long it has been signing, by the clock of the store',
      async t => {
        const world = await open(t)
        const { signer, standby } = await founded(world)
        const age = async () => Math.floor((await world.keys.read()).signerAgeSeconds ?? -1)
        const about = async (seconds: number, what: string) => {
          const found = await age()
          t.ok(found >= seconds && found < seconds + 30, `${what}: ${found}`)
        }
        await about(0, 'founded')
        await world.arrange.schedule(signer.kid, { signsFrom: -5000 })
        await about(5000, 'since it began to sign, not since it was published')
        await world.arrange.schedule(standby.kid, { signsFrom: 60 })
        await about(5000, 'the next one is only scheduled')
        await world.arrange.schedule(standby.kid, { signsFrom: -100 })
        await about(100, 'the next one signs')
        await world.arrange.schedule(standby.kid, { signsFrom: null })
        await world.arrange.schedule(signer.kid, { unpublishedAt: -1 })
        t.equal((await world.keys.read()).signerAgeSeconds, undefined, 'nobody signs')
      },
    )

    await t.test('a key that is not published any more neither verifies nor signs', async t => {
      const world = await open(t)
      const { signer, standby } = await founded(world)
      await world.arrange.schedule(signer.kid, { unpublishedAt: 60 })
      t.equal((await world.keys.read()).keys.length, 2, 'its end is still to come')
      t.equal(await minting(world), signer.kid)
      await world.arrange.schedule(signer.kid, { unpublishedAt: -1 })
      const ring = await world.keys.read()
      t.strictSame(
        ring.keys.map(({ kid }) => kid),
        [standby.kid],
      )
      t.equal(ring.signer, undefined, 'a standby does not sign by itself')
      t.equal(await minting(world), undefined)
      t.equal(
        (await founded(world)).answer,
        'already-founded',
        'a ring that was founded is never founded again',
      )
    })

    await t.test('keys are listed oldest first', async t => {
      const world = await open(t)
      const { signer, standby } = await founded(world)
      for (const [kid, signsFrom] of [
        [signer.kid, -1000],
        [standby.kid, -5000],
        [signer.kid, -9000],
      ] as const) {
        await world.arrange.schedule(kid, { signsFrom })
        const [oldest, youngest] = (await world.keys.read()).keys
        t.equal(oldest?.kid, kid)
        t.not(youngest?.kid, kid)
      }
    })

    await t.test('a key that tells its private half, or another kid, is not taken', async t => {
      const world = await open(t)
      const [key, standby] = [await sealedKey(), await sealedKey()]
      const bad = [
        { ...key, publicJwk: { ...key.publicJwk, d: 'AAAA' } },
        { ...key, publicJwk: { ...key.publicJwk, kid: standby.kid } },
      ]
      for (const signer of bad) await t.rejects(world.keys.found({ signer, standby }))
      t.equal((await world.keys.read()).keys.length, 0)
    })
  })
}
