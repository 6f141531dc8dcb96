/** What two do at once, on two instances: as if one had come after the other. */
import { test } from 'tap'
import { eventually, goodPassword, type TestService } from '../support/service.js'
import { freshCase, openStage, type Plant, plants, verifications } from './here-before.js'
import { made, statusOf } from './witness.js'
import {
  buttonOf,
  callbackFrom,
  codeOf,
  type FederationWorld,
  federationWorld,
  type Visitor,
} from './world.js'

const by = { user: undefined, context: { requestId: undefined, address: undefined } }

const others = new WeakMap<FederationWorld, TestService>()
/** Browsers that are about to come back, on two instances in turn. */
async function aboutToComeBack(world: FederationWorld, count: number): Promise<(() => Promise<Visitor>)[]> {
  const other = others.get(world) ?? (await world.beside())
  others.set(world, other)
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const visitor = world.visitor(index % 2 ? other : world.service)
      const callback = await callbackFrom(await visitor.go())
      return async () => {
        const answer = await visitor.open(callback)
        if (answer.statusCode !== 303) visitor.cookies.set('refused', String(codeOf(answer)))
        return visitor
      }
    }),
  )
}

const refusalsOf = (visitors: readonly Visitor[]) =>
  visitors.map(({ cookies }) => cookies.get('refused')).filter(code => code !== undefined)

const unexpected = ({ service }: FederationWorld) =>
  service.logLines.filter(line => line.includes('"level":50'))

async function withPassword(world: FederationWorld, email: string): Promise<Visitor> {
  const visitor = world.visitor()
  const answer = await visitor.submit('/sign-in', { email, password: goodPassword })
  if (answer.statusCode !== 303) throw new Error(answer.body)
  return visitor
}

test('a new person who comes in 20 tabs at once gets one account, and comes in with each', async t => {
  const world = await federationWorld(t)
  for (let round = 0; round < 3; round++) {
    world.provider.person = { sub: `s${round}`, email: `p${round}@example.com`, email_verified: true }
    const tabs = await aboutToComeBack(world, 20)
    const visitors = await Promise.all(tabs.map(comesBack => comesBack()))
    t.same(refusalsOf(visitors), [])
    t.equal((await made(world)).users, round + 1)
    t.equal((await made(world)).identities, round + 1)
    const people = await Promise.all(
      visitors.map(async ({ scripts }) => (await scripts.get('/v1/session')).json().user.id),
    )
    t.equal(new Set(people).size, 1)
  }
  t.same(unexpected(world), [])
})

test('two new identities with one address at once: one gets the account', async t => {
  const world = await federationWorld(t)
  for (let round = 0; round < 5; round++) {
    const email = `p${round}@example.com`
    const tabs = []
    for (const sub of [`a${round}`, `b${round}`]) {
      world.provider.person = { sub, email, email_verified: true }
      tabs.push(...(await aboutToComeBack(world, 1)))
    }
    const visitors = await Promise.all(tabs.map(comesBack => comesBack()))
    t.same(refusalsOf(visitors), ['account_exists'])
    t.equal((await made(world)).users, round + 1)
  }
  t.same(unexpected(world), [])
})

test('of two people who link one identity at once one gets it', async t => {
  const world = await federationWorld(t)
  for (let round = 0; round < 5; round++) {
    world.provider.person = { sub: `s${round}` }
    const people = [`ada${round}@example.com`, `eve${round}@example.com`]
    for (const email of people) await world.service.signUp(email)
    const visitors = await Promise.all(people.map(email => withPassword(world, email)))
    const callbacks: string[] = []
    for (const visitor of visitors)
      callbacks.push(
        await callbackFrom(buttonOf(await visitor.submit('/sign-in-methods/link', { provider: 'acme' }))),
      )
    const answers = await Promise.all(visitors.map((visitor, index) => visitor.open(callbacks[index] ?? '')))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [303, 409])
    t.same(answers.map(codeOf).sort(), ['identity_taken', undefined])
  }
  t.equal((await made(world)).identities, 5)
  t.same(unexpected(world), [])
})

test('unlinked while 20 sign in: afterwards nothing that it opened is live', async t => {
  const world = await federationWorld(t)
  for (let round = 0; round < 3; round++) {
    const email = `ada${round}@example.com`
    await world.service.signUp(email)
    world.provider.person = { sub: `s${round}` }
    const ada = await withPassword(world, email)
    await ada.comeBack(buttonOf(await ada.submit('/sign-in-methods/link', { provider: 'acme' })))
    const { identities } = (await ada.scripts.get('/v1/identities')).json()
    const tabs = await aboutToComeBack(world, 20)
    const coming = tabs.map(comesBack => comesBack())
    const unlinked = await ada.scripts.delete(`/v1/identities/${identities[0].id}`)
    t.equal(unlinked.statusCode, 204)
    const visitors = await Promise.all(coming)
    t.same(new Set(await Promise.all(visitors.map(statusOf))), new Set([401]))
    t.equal(await statusOf(ada), 200)
  }
  t.same(unexpected(world), [])
})

for (const what of ['disabled', 'deleted'] as const)
  test(`a provider that is ${what} with its sessions while 20 sign in leaves none live`, async t => {
    const world = await federationWorld(t)
    await world.visitor().signIn()
    for (let round = 0; round < 3; round++) {
      const tabs = await aboutToComeBack(world, 20)
      const coming = tabs.map(comesBack => comesBack())
      await Promise.race(coming)
      if (what === 'disabled') await world.change({ state: 'disabled' })
      else await world.store.remove('acme', by)
      await world.store.endSessions('acme', by)
      const live = await world.service.database.sql`select id from sessions where ended_at is null`
      t.same(live, [], 'already when that is answered')
      const visitors = await Promise.all(coming)
      t.same(new Set(await Promise.all(visitors.map(statusOf))), new Set([401]), 'and afterwards')
      if (what === 'disabled') await world.change({ state: 'enabled' })
      else {
        await world.service.database.sql`delete from users`
        await world.add({ id: 'acme', issuer: world.provider.issuer })
      }
      t.equal((await world.visitor().signIn()).statusCode, 303)
    }
    t.same(unexpected(world), [])
  })

test('an account that is claimed in 20 tabs at once is reset once, and comes in with each', async t => {
  const world = await federationWorld(t, { authoritativeFor: ['example.com'] })
  const { sql } = world.service.database
  for (let round = 0; round < 3; round++) {
    const email = `ada${round}@example.com`
    const stranger = await world.service.signUp(email)
    await sql`update users set address_verified_by = null where id = ${stranger.user}`
    world.provider.person = { sub: `s${round}`, email, email_verified: true }
    const tabs = await aboutToComeBack(world, 20)
    const visitors = await Promise.all(tabs.map(comesBack => comesBack()))
    t.same(refusalsOf(visitors), [])
    t.same(new Set(await Promise.all(visitors.map(statusOf))), new Set([200]))
    t.equal((await stranger.browser.get('/v1/session')).statusCode, 401)
    const events = await sql`select action, count(*)::int from audit_events
      where subject = ${stranger.user} and action in ('account.reclaimed', 'identity.linked') group by 1 order by 1`
    t.same(events, [
      { action: 'account.reclaimed', count: 1 },
      { action: 'identity.linked', count: 1 },
    ])
  }
  t.same(unexpected(world), [])
})

test('a person who is disabled while 20 sign in is not signed in afterwards', async t => {
  const world = await federationWorld(t)
  const ada = world.visitor()
  await ada.signIn()
  const { user } = (await ada.scripts.get('/v1/session')).json()
  const root = await world.service.signUp('root@elsewhere.example')
  await world.service.database
    .sql`update users set platform_roles = '{administrator}' where id = ${root.user}`
  const tabs = await aboutToComeBack(world, 20)
  const coming = tabs.map(comesBack => comesBack())
  const off = await root.browser.send('PATCH' as never, `/v1/admin/users/${user.id}`, { state: 'disabled' })
  t.ok(off.statusCode < 300, off.body)
  const visitors = await Promise.all(coming)
  t.same(new Set(await Promise.all([ada, ...visitors].map(statusOf))), new Set([401]))
  t.same(unexpected(world), [])
})

test('a link that waits while the address is verified for the first time is not made', async t => {
  const stage = await openStage(t)
  const { service, provider } = stage
  const { sql } = service.database
  // The last one begins with a link that waits here, too, and is made before.
  for (const verification of verifications.slice(0, -1)) {
    const one = await freshCase(stage)
    const [, open] = plants as [Plant, Plant]
    const foothold = await open.plant(stage, one)
    const [eve] = foothold.visitors as [Visitor]
    if (verification.notAfter?.(open, foothold)) continue
    const [victim] = await sql`select id from users where email = ${one.email}`
    provider.person = { sub: `${one.sub} 2` }
    const link = await callbackFrom(buttonOf(await eve.submit('/sign-in-methods/link', { provider: 'evil' })))
    // Both wait for the account, the verification first.
    const gate = await sql.reserve()
    await gate`begin`
    await gate`select from users where id = ${victim?.id} for no key update`
    const verified = verification.verify(stage, one, foothold)
    verified.catch(() => {})
    await waiting(stage, 1)
    const linked = eve.open(link)
    await waiting(stage, 2)
    await gate`commit`
    gate.release()
    t.equal(codeOf(await linked), 'federation_failed', verification.what)
    t.equal(await statusOf(await verified), 200)
    t.equal(await statusOf(eve), 401)
    t.same(
      await sql`select id from federated_identities where user_id = ${victim?.id} and provider_id = 'evil'`,
      [],
    )
  }
  t.same(unexpected(stage), [])
})

test('whatever somebody else does while the address is verified for the first time, they are out afterwards', async t => {
  const stage = await openStage(t)
  const { service, other, provider } = stage
  const { sql } = service.database
  const [, open, , , operators] = plants as [Plant, Plant, Plant, Plant, Plant]
  for (const plant of [open, operators])
    for (const verification of verifications) {
      const one = await freshCase(stage)
      const foothold = await plant.plant(stage, one)
      const [eve] = foothold.visitors as [Visitor]
      if (verification.notAfter?.(plant, foothold)) continue
      const coming: (() => Promise<Visitor>)[] = []
      for (let tab = 0; tab < 8; tab++) {
        const back =
          tab % 4 === 0 ? eve.at(tab % 8 ? other : service) : stage.visitor(tab % 2 ? other : service)
        provider.person = {
          sub: tab % 4 === 0 ? `${one.sub} ${tab}` : one.sub,
          email: one.email,
          email_verified: true,
        }
        const address =
          tab % 4 === 0
            ? buttonOf(await back.submit('/sign-in-methods/link', { provider: 'evil' }))
            : await back.go('evil')
        const callback = await callbackFrom(address)
        coming.push(async () => {
          await back.open(callback)
          return back
        })
      }
      for (let tab = 0; tab < 4; tab++)
        coming.push(async () => {
          const back = stage.visitor(tab % 2 ? other : service)
          await back.submit('/sign-in', { email: one.email, password: goodPassword })
          return back
        })
      const [ada, ...theirs] = await Promise.all([
        verification.verify(stage, one, foothold),
        ...coming.map(comesBack => comesBack()),
      ])
      t.equal(await statusOf(ada), 200, `${plant.what}; ${verification.what}`)
      const { user } = (await ada.scripts.get('/v1/session')).json()
      for (const visitor of [eve, ...theirs])
        t.not((await visitor.scripts.get('/v1/session')).json().user?.id, user.id)
      t.same(
        await sql`select id from federated_identities where user_id = ${user.id} and provider_id = 'evil'`,
        [],
      )
    }
  t.same(unexpected(stage), [])
})

const waiting = ({ service }: FederationWorld, count: number) =>
  eventually(async () => {
    const [row] = await service.database.sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return row?.waiting >= count || undefined
  }, 20)
