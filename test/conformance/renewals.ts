/** The rules of `renew` and `switchTenant` in src/sessions/store.ts, for every back end. */
import { type Test, test } from 'tap'
import type { TenantId, UserId } from '../../src/core/principal.js'
import type { Renewal } from '../../src/sessions/store.js'
import {
  byOperator,
  context,
  goneOf,
  identityOf,
  listOf,
  liveness,
  type OpenWorld,
  opened,
  person,
  random,
  successor,
  times,
  type World,
} from './world.js'

type Own = Awaited<ReturnType<typeof opened>>

const renewalOf = (own: Own, more: Partial<Renewal> = {}): Renewal => ({
  id: own.id,
  provenSecretHash: own.secretHash,
  next: successor(),
  identity: own.identity,
  context,
  ...more,
})

export function renewalSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} renews and moves sessions as the contract says`, async t => {
    const world = await open(t)
    await renewing(t, world)
    await racing(t, world)
    await switching(t, world)
  })
}

async function renewing(t: Test, world: World): Promise<void> {
  await t.test('a renewal replaces the secret, keeps the one before, and moves the proof to now', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    await world.arrange.ageProof(own.id, 3600)
    const renewal = renewalOf(own, { identity: { ...own.identity, acr: 'aal2' } })
    const answer = await world.sessions.renew(renewal)
    if (typeof answer === 'string') throw new Error('it was refused')
    t.equal(answer.renewed.endsAt, own.endsAt, 'the absolute end stays')
    const { row, now } = await world.sessions.read(answer.renewed.id)
    t.same(row?.secretHash, renewal.next.secretHash)
    t.equal(await goneOf(world, own), 'superseded', 'the secret before opens nothing')
    t.equal(row?.authTime, Math.floor(answer.renewed.now))
    t.equal(row?.acr, 'aal2')
    t.ok(row && row.secretAgeSeconds <= now - answer.renewed.now + 1)
    t.equal(row?.createdAt, Math.floor(own.now), 'it is the same device')
    t.equal(await liveness(world, answer.renewed.id), 'live')
    t.same(
      (await listOf(world, user)).map(({ id }) => id),
      [answer.renewed.id],
      'and is listed once',
    )
  })

  await t.test('a session that is over, or proved by another secret, is not renewed', async t => {
    const refusals: Record<string, (own: Own) => Promise<Partial<Renewal> | undefined>> = {
      'another secret': async () => ({ provenSecretHash: random(32) }),
      'the secret before': async own => {
        await world.sessions.renew(renewalOf(own))
        return undefined
      },
      'an older password': async own => ({ identity: identityOf(own.identity.user, 2) }),
      'another person': async () => ({ identity: identityOf((await person(world)).user) }),
      ended: async own => {
        await world.sessions.end(own.id, own.secretHash, 'signed-out', context)
        return undefined
      },
      'past idle': async own => {
        await world.arrange.age(own.id, { idle: own.idleSeconds })
        return undefined
      },
      'past absolute': async own => {
        await world.arrange.age(own.id, { absolute: own.absoluteSeconds })
        return undefined
      },
      disabled: async own => {
        await world.arrange.disable(own.identity.user)
        return undefined
      },
      'another epoch': async own => {
        await world.arrange.replaceUserEpoch(own.identity.user)
        return undefined
      },
    }
    for (const [what, arrange] of Object.entries(refusals)) {
      const own = await opened(world, (await person(world)).user)
      const more = await arrange(own)
      const before = await world.arrange.rowOf(own.id)
      t.equal(await world.sessions.renew(renewalOf(own, more)), 'superseded', what)
      t.equal(await world.arrange.rowOf(own.id), before, `${what}: nothing changed`)
    }
  })

  await t.test('a renewal of an unknown session inserts none', async t => {
    const own = await opened(world, (await person(world)).user)
    const count = await world.arrange.sessionCount()
    const unknown = renewalOf({ ...own, id: random(16).toString('base64url') as Own['id'] })
    t.equal(await world.sessions.renew(unknown), 'superseded')
    t.equal(await world.arrange.sessionCount(), count)
  })
}

async function racing(t: Test, world: World): Promise<void> {
  await t.test('of any number of parallel renewals with one proof one succeeds', async t => {
    const own = await opened(world, (await person(world)).user)
    const renewals = Array.from({ length: 20 }, () => renewalOf(own))
    const answers = await Promise.all(renewals.map(renewal => world.sessions.renew(renewal)))
    const won = answers.findIndex(answer => answer !== 'superseded')
    t.equal(answers.filter(answer => answer !== 'superseded').length, 1)
    const answer = answers[won]
    if (!answer || typeof answer === 'string') return
    t.same((await world.sessions.read(answer.renewed.id)).row?.secretHash, renewals[won]?.next.secretHash)
  })

  await t.test('a renewal that waits while all sessions are ended leaves a session that is over', async t => {
    const own = await opened(world, (await person(world)).user)
    let renewal: Promise<unknown> | undefined
    await world.arrange.whileHeld({ session: own.id }, async () => {
      renewal = world.sessions.renew(renewalOf(own))
      await world.arrange.waiters(1)
      t.not(await world.revocations.endAllOf(own.identity.user, byOperator), 'unknown')
    })
    const answer = (await renewal) as Awaited<ReturnType<typeof world.sessions.renew>>
    t.equal(await liveness(world, typeof answer === 'string' ? own.id : answer.renewed.id), 'old epoch')
  })

  await t.test('a renewal that waits while the session is ended is refused', async t => {
    const own = await opened(world, (await person(world)).user)
    let renewal: Promise<unknown> | undefined
    let end: Promise<unknown> | undefined
    await world.arrange.whileHeld({ session: own.id }, async () => {
      end = world.revocations.endOne(own.id, 'anyone', byOperator)
      await world.arrange.waiters(1)
      renewal = world.sessions.renew(renewalOf(own))
      await world.arrange.waiters(2)
    })
    t.equal(await end, 'ended')
    t.equal(await renewal, 'superseded')
    t.equal(await liveness(world, own.id), 'ended')
  })
}

async function switching(t: Test, world: World): Promise<void> {
  const tenantOf = async (own: Own) => (await world.sessions.read(own.id)).row?.tenant
  const move = (own: Own, tenant: TenantId | null, more: { secretHash?: Buffer; actor?: UserId } = {}) =>
    world.sessions.switchTenant({
      id: own.id,
      provenSecretHash: more.secretHash ?? own.secretHash,
      tenant,
      actor: more.actor ?? own.identity.user,
      context,
    })

  await t.test(
    'a session moves into tenants of which its person is an active member, and out again',
    async t => {
      const own = await opened(world, (await person(world)).user)
      const [acme, globex] = await times(2, index => world.arrange.tenant(`Tenant ${index}`))
      for (const tenant of [acme, globex])
        await world.arrange.member(own.identity.user, tenant as TenantId, [])
      for (const tenant of [acme, globex, acme] as TenantId[]) {
        t.equal(await move(own, tenant), 'switched')
        t.match(await tenantOf(own), { id: tenant })
      }
      t.equal(await move(own, null), 'switched')
      t.equal(await tenantOf(own), 'none')
    },
  )

  await t.test(
    'TN-04: without an active membership of an active tenant the session stays where it is',
    async t => {
      const own = await opened(world, (await person(world)).user)
      const [home, left, closed, foreign] = (await times(4, index =>
        world.arrange.tenant(`Tenant ${index}`),
      )) as [TenantId, TenantId, TenantId, TenantId]
      await world.arrange.member(own.identity.user, home, [])
      await world.arrange.member(own.identity.user, left, [], 'suspended')
      await world.arrange.member(own.identity.user, closed, [])
      await world.arrange.setTenantState(closed, 'suspended')
      t.equal(await move(own, home), 'switched')
      for (const tenant of [left, closed, foreign, own.identity.user as unknown as TenantId])
        t.equal(await move(own, tenant), 'forbidden')
      t.match(await tenantOf(own), { id: home })
    },
  )

  await t.test('under another secret, or when it is over, a session does not move', async t => {
    const own = await opened(world, (await person(world)).user)
    t.equal(await move(own, null, { secretHash: random(32) }), 'superseded')
    t.equal(await move(own, null, { actor: (await person(world)).user }), 'superseded')
    await world.sessions.end(own.id, own.secretHash, 'signed-out', context)
    t.equal(await move(own, null), 'superseded')
  })
}
