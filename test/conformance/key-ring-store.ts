/** The rules of src/keys/store.ts, and of the kid that a mint reads, for every back end. */
import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { type Test, test } from 'tap'
import type { ClientId, Kid } from '../../src/core/principal.js'
import { compromise, recovery } from '../../src/keys/compromise.js'
import { maintenance, publishedKeys, rotation, signerOf, stateOf } from '../../src/keys/schedule.js'
import type { Key, Plan, PublicJwk, Ring, SealedKey } from '../../src/keys/store.js'
import { defaultPolicy } from '../support/keys.js'
import { byOperator, type OpenWorld, random, sessionId, times, type World } from './world.js'

async function sealedKey(): Promise<SealedKey> {
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    format: 'jwk',
  })
  const kid = await calculateJwkThumbprint({ kty: 'EC', crv: 'P-256', x, y })
  const publicJwk: PublicJwk = { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' }
  return { kid: kid as Kid, publicJwk, sealed: random(180), kekId: 'first' }
}

const change = <Nothing extends string>(world: World, decide: (ring: Ring) => Plan | Nothing) =>
  world.keys.change(decide, sealedKey, byOperator)
const maintain = (world: World) => change(world, maintenance)
/** Sorted: of keys that were published together any is first. */
const states = (ring: Ring) => ring.keys.map(key => stateOf(ring, key)).sort()

async function founded(t: Test, open: OpenWorld): Promise<{ world: World; signer: Key; standby: Key }> {
  const world = await open(t)
  const ring = (await maintain(world)) as Ring
  const [signer] = ring.keys.filter(({ signsFrom }) => signsFrom !== null)
  const [standby] = ring.keys.filter(({ signsFrom }) => signsFrom === null)
  return { world, signer: signer as Key, standby: standby as Key }
}

/** What the statement of a mint reads. */
const minting = async (world: World) =>
  world.sessions.readForMint(sessionId(), {
    tenant: undefined,
    client: 'mintmark' as ClientId,
    origin: undefined,
  })

/** The rule of the list and the rule of the statement name one key. */
async function signs(t: Test, world: World, kid: string | undefined, what: string): Promise<Ring> {
  const ring = await world.keys.read()
  t.equal(signerOf(ring.keys, ring.now)?.kid, kid, what)
  t.equal((await minting(world)).kid, kid, `${what}, for a mint`)
  return ring
}

export function keyRingStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of a key ring store`, async t => {
    await t.test('an empty ring has the policy and no keys', async t => {
      const world = await open(t)
      const ring = await signs(t, world, undefined, 'nobody signs')
      t.same(ring.keys, [])
      t.ok(Math.abs(ring.now - (await world.arrange.now())) < 5)
      t.same(ring.policy, defaultPolicy)
    })

    await t.test(
      'KY-13: of ten that found at once one does: a signer and a standby, as they went in',
      async t => {
        const world = await open(t)
        const made: SealedKey[] = []
        const make = async () => {
          const key = await sealedKey()
          made.push(key)
          return key
        }
        const before = await world.arrange.now()
        const answers = await times(10, () => world.keys.change(maintenance, make, byOperator))
        t.equal(answers.filter(answer => answer === 'nothing').length, 9)
        t.equal(made.length, 2)
        const ring = await world.keys.read()
        t.same(states(ring), ['signing', 'standby'])
        for (const key of made) {
          const { signsFrom, publishedAt, ...stored } = ring.keys.find(({ kid }) => kid === key.kid) as Key
          t.ok(publishedAt >= before - 1 && publishedAt <= ring.now)
          const first = key === made[0]
          t.ok(first ? signsFrom && signsFrom >= publishedAt : signsFrom === null)
          t.strictSame(stored, {
            ...key,
            kekIds: ['first'],
            signsUntil: null,
            unpublishedAt: null,
            compromised: null,
            exempt: first ? 'first' : null,
            leastLead: 7560,
          })
        }
        t.strictSame((await world.keys.read()).keys, ring.keys, 'in the same order again')
      },
    )

    await t.test('a rotation, step by step as time passes', async t => {
      const { world, signer, standby } = await founded(t, open)
      t.equal(await maintain(world), 'nothing')
      await world.arrange.ageKeys(2_592_000 * 1.1 - 86_400)
      const scheduled = (await maintain(world)) as Ring
      t.same(states(scheduled), ['scheduled', 'signing', 'standby'])
      const at = scheduled.keys.find(({ kid }) => kid === standby.kid)?.signsFrom as number
      await signs(t, world, signer.kid, 'until it is time')
      t.equal(await maintain(world), 'nothing')
      await world.arrange.ageKeys(at - (await world.keys.read()).now + 1)
      await signs(t, world, standby.kid, 'from then on')
      await world.arrange.ageKeys(60)
      const later = (await maintain(world)) as Ring
      t.match(
        later.keys.find(({ kid }) => kid === signer.kid),
        { sealed: null, kekId: null, kekIds: ['first'] },
      )
      t.same(states(later), ['signing', 'standby', 'verifying'])
      await world.arrange.ageKeys(7200)
      const end = await signs(t, world, standby.kid, 'to the end')
      t.same(states(end), ['gone', 'signing', 'standby'])
      t.equal(publishedKeys(end).length, 2)
    })

    await t.test('an operator rotates as soon as the standby is ripe, and twice is once', async t => {
      const { world, signer, standby } = await founded(t, open)
      const planned = (await change(world, rotation)) as Ring
      const at = planned.keys.find(({ kid }) => kid === standby.kid)?.signsFrom as number
      t.equal(at, Math.ceil(standby.publishedAt + 7560))
      t.equal(await change(world, rotation), 'already-scheduled')
      await world.arrange.ageKeys(7561)
      await signs(t, world, standby.kid, 'ripe')
      t.match(await change(world, rotation), { keys: Array }, 'the next one')
      t.ok(signer)
    })

    await t.test('of many rotations at once one is made', async t => {
      const { world } = await founded(t, open)
      const answers = await times(10, () => change(world, rotation))
      t.equal(answers.filter(answer => answer === 'already-scheduled').length, 9)
      t.equal((await world.keys.read()).keys.length, 3)
    })

    await t.test('a leaked signer ends at once, and the standby signs', async t => {
      const { world, signer, standby } = await founded(t, open)
      const since = Math.floor(signer.publishedAt) - 10
      const after = (await change(world, ring => compromise(ring, { kid: signer.kid }, since))) as Ring
      t.same(states(after), ['compromised', 'signing', 'standby'])
      t.match(
        after.keys.find(({ kid }) => kid === signer.kid),
        { sealed: null, compromised: { since } },
      )
      await signs(t, world, standby.kid, 'the next mint')
      t.notOk(publishedKeys(after).some(({ kid }) => kid === signer.kid))
      t.equal(await change(world, ring => compromise(ring, { kid: signer.kid }, since)), 'already-marked')
      t.match(
        await change(world, ring => compromise(ring, { kid: signer.kid }, null)),
        { keys: Array },
        'stricter',
      )
      t.equal(await change(world, ring => compromise(ring, { kid: 'nobody' as Kid }, null)), 'unknown-key')
    })

    await t.test(
      'after a recovery fresh keys sign, and what was published verifies for its tail',
      async t => {
        const { world, signer, standby } = await founded(t, open)
        const after = (await change(world, recovery)) as Ring
        t.equal(after.keys.length, 4)
        for (const { kid } of [signer, standby]) {
          const key = after.keys.find(key => key.kid === kid) as Key
          t.match(key, { sealed: null, signsUntil: Number })
          t.equal(Math.round((key.unpublishedAt ?? 0) - (key.signsUntil ?? 0)), 7200)
        }
        t.same(states(after), ['signing', 'standby', 'verifying', 'verifying'])
      },
    )

    await t.test('a plan is done as a whole or not at all, and a dry run not at all', async t => {
      const { world, signer, standby } = await founded(t, open)
      const audited = async () => (await world.arrange.audited()).length
      const before = [await world.keys.read(), await audited()] as const
      const same = async (what: string) => {
        t.strictSame((await world.keys.read()).keys, before[0].keys, what)
        t.equal(await audited(), before[1], `${what}: no row of the audit log`)
      }
      const tooEarly = (ring: Ring): Plan => ({
        publish: [{ signsFrom: null, exempt: null }],
        alter: [
          { kid: signer.kid, sealed: { sealed: random(180), kekId: 'second' } },
          { kid: standby.kid, signsFrom: ring.now + 10 },
        ],
      })
      await t.rejects(change(world, tooEarly))
      await same('refused')
      await t.rejects(world.keys.change(rotation, () => Promise.reject(new Error('no key')), byOperator))
      await same('no key could be made')
      const tried = (await world.keys.change(rotation, sealedKey, byOperator, true)) as Ring
      t.same(states(tried), ['scheduled', 'signing', 'standby'])
      await same('a dry run')
    })

    await t.test(
      'a token lives no longer than the policy allows, whatever its application asks for',
      async t => {
        const { world } = await founded(t, open)
        t.equal((await minting(world)).application?.tokenLifetimeSeconds, 300)
      },
    )

    await t.test('a key that tells its private half, or another kid, is not taken', async t => {
      const world = await open(t)
      const [key, standby] = [await sealedKey(), await sealedKey()]
      const bad = [
        { ...key, publicJwk: { ...key.publicJwk, d: 'AAAA' } },
        { ...key, publicJwk: { ...key.publicJwk, kid: standby.kid } },
      ]
      for (const wrong of bad) await t.rejects(world.keys.change(maintenance, async () => wrong, byOperator))
      t.equal((await world.keys.read()).keys.length, 0)
    })
  })
}
