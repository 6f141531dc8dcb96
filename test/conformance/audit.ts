/** What every store owes the audit log (src/audit/events.ts): a row for each change, in the transaction of the change. */
import { type Test, test } from 'tap'
import type { AuditEvent, RequestContext } from '../../src/audit/events.js'
import type { EmailAddress } from '../../src/core/email-address.js'
import type { Kid, UserId } from '../../src/core/principal.js'
import { maintenance } from '../../src/keys/schedule.js'
import type { NewApplication } from '../../src/tenants/applications.js'
import {
  type AuditRow,
  address,
  byOperator,
  context,
  liveness,
  newSession,
  type OpenWorld,
  opened,
  person,
  random,
  register,
  successor,
  times,
  type World,
} from './world.js'

const noTenant = { serviceKey: null, tenant: null }
const fromHere = { address: context.address, requestId: context.requestId, ...noTenant }
const fromNowhere = { address: null, requestId: null, ...noTenant }
const bare = { reason: null, session: null }
/** The stores do not look into a key. */
const key = (kid: string) => ({
  kid: kid as Kid,
  publicJwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid, alg: 'ES256', use: 'sig' },
  sealed: random(180),
  kekId: 'first',
})
const application = (clientId: string, ...origins: string[]): NewApplication => ({
  clientId,
  name: clientId,
  origins,
  returnAddresses: [],
  audiences: ['api'],
  tokenLifetimeSeconds: 300,
})

export function auditSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} writes down what changes, in the transaction of the change`, async t => {
    const world = await open(t)
    await done(t, world)
    await nothing(t, world)
    await together(t, world)
    await recording(t, world)
  })
}

/** The rows that `work` added. */
async function added(world: World, work: () => Promise<unknown>): Promise<AuditRow[]> {
  const before = (await world.arrange.audited()).length
  await work()
  return (await world.arrange.audited()).slice(before)
}

async function link(world: World, purpose: 'sign-up' | 'password-reset', email: EmailAddress) {
  const tokenHash = random(32)
  await world.accounts.saveLink({ purpose, tokenHash, email, lifetimeSeconds: 600 })
  return tokenHash
}

const changeOf = (own: { id: string; secretHash: Buffer; identity: { user: string } }, version = 1) =>
  ({
    user: own.identity.user,
    session: own.id,
    provenSecretHash: own.secretHash,
    next: successor(),
    expectedVersion: version,
    phc: 'phc-changed',
    context,
  }) as Parameters<World['accounts']['changePassword']>[0]

async function done(t: Test, world: World): Promise<void> {
  await t.test('a sign-up and a reset are one row each, by and about the person', async t => {
    const email = address()
    let user: UserId | undefined
    const signUp = await link(world, 'sign-up', email)
    const registered = await added(world, async () => {
      user = (await world.accounts.register(signUp, 'phc-1', 'Ada', context))?.user
    })
    const whom = { actor: user, subject: user, outcome: 'done', ...bare, ...fromHere }
    t.strictSame(registered, [{ action: 'account.created', ...whom }])
    const reset = await link(world, 'password-reset', email)
    const resets = await added(world, () => world.accounts.resetPassword(reset, 'phc-2', context))
    t.strictSame(resets, [{ action: 'password.reset', ...whom }])
  })

  await t.test('a changed password is one row, with the session that changed it', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    t.strictSame(await added(world, () => world.accounts.changePassword(changeOf(own))), [
      {
        action: 'password.changed',
        outcome: 'done',
        reason: null,
        actor: user,
        subject: user,
        session: own.id,
        ...fromHere,
      },
    ])
  })

  await t.test('a session opened, replaced or ended is one row each, whoever it belonged to', async t => {
    const [{ user: ada }, { user: bob }] = [await person(world), await person(world)]
    const row = (action: string, user: UserId, session: string) => ({
      ...{ action, outcome: 'done', reason: null, actor: user, subject: user, session },
      ...fromHere,
    })
    const [first, own, foreign] = [newSession(ada), newSession(ada), newSession(bob)]
    t.strictSame(await added(world, () => world.sessions.open(first)), [row('session.opened', ada, first.id)])
    const replaced = await added(world, () => world.sessions.open({ ...own, replaces: first }))
    t.strictSame(sorted(replaced), [row('session.ended', ada, first.id), row('session.opened', ada, own.id)])
    const signedOut = await added(world, () =>
      world.sessions.end(own.id, own.secretHash, 'signed-out', context),
    )
    t.strictSame(signedOut, [row('session.ended', ada, own.id)])
    // Of the browser that Bob signs in on, somebody else's session ends: Bob did it.
    const hers = await opened(world, ada)
    const taken = await added(world, () => world.sessions.open({ ...foreign, replaces: hers }))
    t.match(sorted(taken), [
      { action: 'session.ended', actor: bob, session: hers.id },
      { action: 'session.opened', actor: bob, subject: bob, session: foreign.id },
    ])
    t.equal(sorted(taken)[0]?.subject, ada, 'the session that ended was hers')
  })

  await t.test('what an operator creates is one row, without an actor and without a request', async t => {
    let user: string | undefined
    const created = await added(world, async () => {
      const made = await world.users.create({ email: address(), name: undefined, phc: undefined }, byOperator)
      user = typeof made === 'string' ? undefined : made.id
    })
    const operated = { outcome: 'done', actor: null, ...bare, ...fromNowhere }
    t.strictSame(created, [{ action: 'account.created', ...operated, subject: user }])
    const registered = await added(world, () => register(world, application('audited')))
    t.strictSame(registered, [{ action: 'application.created', ...operated, subject: 'audited' }])
    let made = 0
    const found = () => world.keys.change(maintenance, async () => key(`kid-${++made}`), byOperator)
    const founded = await added(world, found)
    t.strictSame(founded, [
      { action: 'keys.bootstrapped', ...operated, subject: 'kid-1' },
      { action: 'keys.published', ...operated, subject: 'kid-2' },
    ])
    t.same(await added(world, found), [], 'once')
  })

  await t.test('of fifty that do one thing at once one has done it, and one row says so', async t => {
    const email = address()
    const signUp = await link(world, 'sign-up', email)
    const rows = await added(world, () =>
      times(50, i => world.accounts.register(signUp, `phc-${i}`, undefined, context)),
    )
    t.equal(rows.length, 1)
  })
}

const sorted = (rows: AuditRow[]) => rows.sort((a, b) => (a.action < b.action ? -1 : 1))

async function nothing(t: Test, world: World): Promise<void> {
  await t.test('what changes nothing, or is given up half-way, leaves no row', async t => {
    const { user, email } = await person(world)
    const own = await opened(world, user)
    const ended = await opened(world, user)
    await world.sessions.end(ended.id, ended.secretHash, 'signed-out', context)
    await register(world, application('owner', 'http://localhost:9001'))
    await world.arrange.verify(user)
    const taken = await link(world, 'sign-up', email)
    const idle: Record<string, () => Promise<unknown>> = {
      'a link that is none': () => world.accounts.register(random(32), 'phc', undefined, context),
      'a sign-up with an address that is taken': () =>
        world.accounts.register(taken, 'phc', undefined, context),
      'a reset link that is none': () => world.accounts.resetPassword(random(32), 'phc', context),
      'a change with an old version': () => world.accounts.changePassword(changeOf(own, 7)),
      'a change whose session is superseded, undone when all of it was written': () =>
        world.accounts.changePassword({ ...changeOf(own), provenSecretHash: random(32) }),
      'an opening under an old version': () =>
        world.sessions.open(
          newSession(user, { identity: { ...own.identity, credential: { kind: 'password', version: 9 } } }),
        ),
      'an end with another secret': () => world.sessions.end(own.id, random(32), 'signed-out', context),
      'a second end': () => world.sessions.end(ended.id, ended.secretHash, 'signed-out', context),
      'an address that somebody has': () =>
        world.users.create({ email, name: undefined, phc: undefined }, byOperator),
      'a client id that is taken': () => register(world, application('owner')),
      'an origin that is taken, undone with its application': () =>
        register(world, application('second', 'http://localhost:9001')),
      'a touch': () => world.sessions.touch(own.id),
      'a re-hash': () => world.accounts.rehash(user, 1, 'phc-1', 'phc-1-stronger'),
    }
    for (const [what, work] of Object.entries(idle)) t.same(await added(world, work), [], what)
    t.equal(await liveness(world, own.id), 'live')
  })
}

async function together(t: Test, world: World): Promise<void> {
  await t.test('a change that cannot be written down is not made', async t => {
    const { user, email } = await person(world)
    const newcomer = address()
    const own = await opened(world, user)
    const [signUp, reset] = [
      await link(world, 'sign-up', newcomer),
      await link(world, 'password-reset', email),
    ]
    const before = await world.arrange.rowOf(own.id)
    const late = newSession(user, { replaces: own })
    const another = address()
    await world.arrange.whileAuditRefuses(async () => {
      const changes: Record<string, () => Promise<unknown>> = {
        'a sign-up': () => world.accounts.register(signUp, 'phc', undefined, context),
        'a reset': () => world.accounts.resetPassword(reset, 'phc-2', context),
        'a change of password': () => world.accounts.changePassword(changeOf(own)),
        'a sign-in': () => world.sessions.open(late),
        'a sign-out': () => world.sessions.end(own.id, own.secretHash, 'signed-out', context),
        'an account by an operator': () =>
          world.users.create({ email: another, name: undefined, phc: undefined }, byOperator),
        'an application': () => register(world, application('unwritten', 'http://localhost:9100')),
      }
      for (const [what, work] of Object.entries(changes)) await t.rejects(work, what)
    })
    t.equal(await world.arrange.rowOf(own.id), before)
    t.equal(await liveness(world, late.id), 'none')
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1 } })
    t.equal(await world.accounts.findByEmail(newcomer.canonical), undefined)
    t.equal(await world.accounts.findByEmail(another.canonical), undefined)
    t.notOk((await world.applications.origins()).has('http://localhost:9100'))
    t.ok(await world.accounts.register(signUp, 'phc', undefined, context), 'its link was not consumed')
    t.ok(await world.accounts.resetPassword(reset, 'phc-2', context), 'nor this one')
  })
}

async function recording(t: Test, world: World): Promise<void> {
  await t.test(
    'a refusal is recorded as it is told, with its reason and with nothing that is unknown',
    async t => {
      const { user } = await person(world)
      const { id: session } = newSession(user)
      const everything: AuditEvent = {
        action: 'session.token',
        outcome: 'refused',
        reason: 'audience_forbidden',
        actor: user,
        subject: 'a "quoted" \\ Ünïcode 🔑',
        session,
        context,
      }
      const unknown: RequestContext = { requestId: undefined, address: undefined }
      const rows = await added(world, async () => {
        await world.audit.record([
          everything,
          { action: 'session.opened', outcome: 'refused', reason: 'unknown-address', context: unknown },
        ])
      })
      const { context: _, ...told } = everything
      t.strictSame(rows, [
        { ...told, ...fromHere },
        {
          action: 'session.opened',
          outcome: 'refused',
          reason: 'unknown-address',
          actor: null,
          subject: null,
          session: null,
          ...fromNowhere,
        },
      ])
    },
  )

  await t.test('a refusal has a reason, and of many rows all are there or none', async t => {
    const event = { action: 'session.opened', outcome: 'refused', context } as const
    const reasons = Array.from({ length: 300 }, (_, index) => `reason ${index}`)
    const told = reasons.map(reason => ({ ...event, reason }))
    t.same(await added(world, () => t.rejects(world.audit.record([...told, event]))), [])
    const rows = await added(world, () => world.audit.record(told))
    t.same(
      rows.map(({ reason }) => reason),
      reasons,
      'in their order',
    )
  })
}
