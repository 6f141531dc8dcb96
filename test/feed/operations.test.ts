/** What every method of every store, and every operation beside them, adds to the feed: with sessions in the table and in Redis. */
import { createHash } from 'node:crypto'
import { type Test, test } from 'tap'
import { compromise } from '../../src/keys/compromise.js'
import * as cleaning from '../../src/store/postgres/clean-up.js'
import { Database } from '../../src/store/postgres/database.js'
import * as recovering from '../../src/store/recovery.js'
import * as copying from '../../src/store/sessions/moving/copy.js'
import { postgresParts } from '../conformance/postgres-world.js'
import { redisWorld } from '../conformance/redis-world.js'
import { byOperator, opened, random, type World } from '../conformance/world.js'
import { redisServer, skipWithoutRedis } from '../support/redis.js'
import { testService } from '../support/service.js'
import { deadIn, ofId, ofSecret } from './dead.js'
import { factorExpectations } from './factor-operations.js'
import { founded, expectations as ofStores, sealedKey } from './operations.js'
import { factories, type Parts, sceneOf, storesOf } from './scene.js'

const inRedis = async (t: Test): Promise<Parts> => {
  const world = await redisWorld(t)
  return { world, sql: world.sql, database: world.database, hot: world.hot, rows: world.rows }
}
const expectations = { ...ofStores, ...factorExpectations }

const backEnds = [
  ['the table', postgresParts as (t: Test) => Promise<Parts>, false],
  ['Redis', inRedis, skipWithoutRedis],
] as const

const sorted = (all: readonly string[]) => [...all].sort()

/** Words and values that say that nothing was done: an expectation that nothing dies would hold of them, too. */
const failed = new Set<unknown>([
  ...['unknown', 'forbidden', 'superseded', 'gone', 'taken', 'turned-off', 'signed-out', 'not-authoritative'],
  ...['last-way-in', 'last-administrator', 'last-owner', 'unknown-role', 'unknown-provider', 'name-taken'],
  ...['credential-changed', 'address-taken', 'too-large', 'already-scheduled', 'no-standby', 'unknown-key'],
  ...[
    'already-marked',
    'elsewhere',
    'weak',
    'none',
    'locked',
    'wrong',
    'no-factor',
    'too-many',
    'no-challenge',
    false,
  ],
])
/** They answer nothing. */
const silent = /\.(cancel|begin|giveBack|touch|saveLink|recordFailure|forgetFailures|rehash|record)$/

for (const [where, open, skip] of backEnds) {
  test(`each method adds exactly what it takes away, with sessions in ${where}`, { skip }, async t => {
    const scene = sceneOf(await open(t))
    for (const [method, expected] of Object.entries(expectations)) {
      if (!Array.isArray(expected)) continue
      for (const { what, arrange } of expected) {
        const { dead, work } = await arrange(scene)
        let answer: unknown
        const added = await deadIn(scene.sql, async () => {
          answer = await work()
        })
        t.notOk(
          failed.has(answer) || (answer === undefined && !silent.test(method)),
          `${method}: ${what}: ${answer}`,
        )
        t.same(sorted([...new Set(added)]), sorted(dead), `${method}: ${what}`)
        t.equal(added.length, dead.length, `${method}: ${what}: none twice`)
      }
    }
  })
}

test('every method of every store has an expectation, and every expectation a method', async t => {
  const stores = storesOf(await postgresParts(t))
  const methods = Object.entries(stores).flatMap(([store, methods]) =>
    Object.entries(methods)
      .filter(([, method]) => typeof method === 'function')
      .map(([method]) => `${store}.${method}`),
  )
  t.same(
    methods.filter(name => !(name in expectations)),
    [],
    'what does a new one take away? Say so in test/feed/operations.ts',
  )
  t.same(
    Object.keys(expectations).filter(name => !methods.includes(name)),
    [],
  )
  t.same(factories(), [
    'postgresAccountStore',
    'postgresApplicationStore',
    'postgresAuditLog',
    'postgresCallers',
    'postgresFactorResets',
    // A part of the next one.
    'postgresFactorSeals',
    'postgresFactorStore',
    'postgresFederationStore',
    // It reads.
    'postgresFeedReports',
    // It reads, and numbers what others have recorded.
    'postgresFeedStore',
    'postgresIdentityStore',
    // It reads.
    'postgresIntrospections',
    'postgresInvitationStore',
    'postgresKeyRingStore',
    'postgresMembershipStore',
    'postgresPasskeyStore',
    'postgresPendingSignIns',
    'postgresProviderStore',
    'postgresRedemptionStore',
    'postgresRevocations',
    'postgresServiceKeyStore',
    'postgresSessionStore',
    'postgresTenantStore',
    'postgresUserStore',
    // It says what is known of verifiers.
    'postgresVerifierStore',
    // It counts attempts.
    'redisCounter',
    // It reads.
    'redisIntrospections',
    'redisRevocations',
    'redisSessionStore',
    'sessionsInRedis',
    'sessionsInTable',
  ])
})

test('the operations beside the stores are these, and each is tried below', async t => {
  t.same(Object.keys(cleaning).sort(), ['batchRows', 'cleanRegularly', 'cleanUp'])
  t.same(Object.keys(recovering).sort(), ['keepClusterIdentity', 'recover'])
  t.same(Object.keys(copying).sort(), ['copyToRedis', 'copyToTable'])
})

test('clean-up of all that is over kills nothing', async t => {
  const scene = sceneOf(await postgresParts(t))
  const { sql, world } = scene
  const { user, theirs } = await scene.federated()
  const ended = await opened(world, user)
  await world.sessions.end(ended.id, ended.secretHash, 'signed-out', scene.context)
  await opened(world, user)
  await scene.invitation()
  await scene.link('sign-up', (await scene.person()).email)
  await sql`insert into revoked_sessions (id, secret_hash, reason, until)
    values (${theirs.id}, ${random(32)}, 'signed-out', now())`
  const kept = await opened(world, user)
  await sql`update sessions set ends_at = now() - interval '2 days' where id <> ${kept.id}`
  for (const [table, column] of [
    ['revoked_sessions', 'until'],
    ['federated_sessions', 'ends_at'],
    ['mail_links', 'expires_at'],
    ['invitations', 'expires_at'],
  ] as const)
    await sql`update ${sql(table)} set ${sql(column)} = now() - interval '2 days'`
  let removed: cleaning.Cleaned = 'elsewhere'
  t.same(
    await deadIn(sql, async () => {
      removed = await cleaning.cleanUp(scene.database)
    }),
    [],
  )
  t.same(Object.fromEntries(removed as unknown as Map<string, number>), {
    ...{ sessions: 4, revoked_sessions: 1, federated_sessions: 1, mail_links: 1, invitations: 1 },
  })
  t.ok((await world.sessions.read(kept.id)).row)
})

test('sessions that move from one store to the other end for nobody', { skip: skipWithoutRedis }, async t => {
  const parts = await inRedis(t)
  const scene = sceneOf(parts)
  const { sql, world, database } = scene
  const rows = parts.rows as NonNullable<Parts['rows']>
  const { user, own } = await scene.signedIn()
  const other = await opened(world, user)
  let copied = 0
  for (const copy of [copying.copyToTable, copying.copyToRedis, copying.copyToTable]) {
    const dead = await deadIn(sql, async () => {
      copied = await copy(database, rows)
    })
    t.same(dead, [], copy.name)
    t.equal(copied, 2, copy.name)
  }
  for (const one of [own, other]) {
    const dead = await deadIn(sql, () =>
      world.sessions.end(one.id, one.secretHash, 'signed-out', scene.context),
    )
    t.same([...new Set(dead)].sort(), [...scene.proved(one)].sort(), 'and one that is in both ends in both')
  }
})

/** Entries of a session, a user and a key, numbered. */
async function withEntries(t: Test) {
  const parts = await postgresParts(t)
  const scene = sceneOf(parts)
  const { sql, world } = scene
  const { own } = await scene.signedIn()
  await world.revocations.endOne(own.id, 'anyone', byOperator)
  await world.users.disable((await scene.person()).user, byOperator)
  const { signer } = await founded(scene)
  await world.keys.change(ring => compromise(ring, { kid: signer.kid }, null), sealedKey, byOperator)
  await sql`select sequence_revocations()`
  const address = sql.options
  const operator = new Database(
    {
      host: String(address.host[0]),
      port: Number(address.port[0]),
      user: address.user,
      password: String(address.pass ?? ''),
      database: address.database,
    } as never,
    { connections: 1, anyCluster: true },
  )
  t.teardown(() => operator.close())
  const all = async () => {
    const entries = await sql<{ kind: string; handle: Buffer; position: number | null }[]>`
      select kind, int8send(handle) as handle, position::int from revocations order by id`
    const [feed] = await sql<{ head: number }[]>`select head::int as head from revocation_feed`
    return {
      head: feed?.head,
      entries: entries.map(({ kind, handle }) => `${kind} ${handle.toString('base64url')}`),
      numbered: entries.filter(({ position }) => position !== null).length,
    }
  }
  return { ...scene, signer, operator, all }
}

test('recover begins the list anew: the keys that were killed, and the epoch of all sessions', async t => {
  const { all, of, signer, operator } = await withEntries(t)
  t.match(await all(), { head: 3, numbered: 3 })
  const service = await of.service()
  await recovering.recover(operator, sealedKey, 0)
  t.same(await all(), { head: 0, entries: [of.key(signer.kid), service], numbered: 0 })
})

test('so does keeping the identity of a cluster, with nothing that ends', async t => {
  const { all, of, signer, operator } = await withEntries(t)
  await recovering.keepClusterIdentity(operator, 0)
  t.same(await all(), { head: 0, entries: [of.key(signer.kid)], numbered: 0 })
})

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

test('Redis is stopped, somebody signs out, and their tokens die by the secret that they proved', {
  skip: skipWithoutRedis,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  const service = await testService(t, {
    env: { SESSION_STORE: 'redis', REDIS_URL: redis.url, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' },
  })
  const { sql } = service.database
  await sql`insert into applications (client_id, name, audiences) values ('spa', 'SPA', '{api}')`
  const { browser } = await service.signUp('ada@example.com')
  const minted = await browser.at(service.app, null).post('/v1/token', { client_id: 'spa' })
  t.equal(minted.statusCode, 200)
  const { rev, sid } = claimsOf(minted.json().access_token)
  const [id = '', secret = ''] = browser.cookie?.split('.') ?? []
  const handle = ofSecret(createHash('sha256').update(Buffer.from(secret, 'base64url')).digest())
  t.equal(sid, id)
  t.ok(rev.includes(ofId(id)), 'a token rests on its session')
  t.ok(rev.includes(handle), 'and in Redis on the secret')
  await redis.stop()
  const dead = await deadIn(sql, async () =>
    t.equal((await browser.delete('/v1/session')).statusCode, 204, 'which needs no Redis'),
  )
  t.same(dead, [`secret ${handle}`])
})

/** What a mint would put into a token now. */
async function basisOf(world: World, id: string, client: string, tenant?: string) {
  const question = { client, tenant, origin: undefined } as never
  return (await world.sessions.readForMint(id as never, question)).basis.handles
}

for (const [where, open, skip] of backEnds)
  test(`what dies is what tokens carry, and no token minted afterwards does, with sessions in ${where}`, {
    skip,
  }, async t => {
    const scene = sceneOf(await open(t))
    const { world, sql, of } = scene
    const { user, tenant } = await scene.member()
    const { clientId } = await scene.application()
    const own = await opened(world, user)
    const basis = () => basisOf(world, own.id, clientId, tenant)
    const before = await basis()
    const carried = [
      await of.service(),
      await of.user(user),
      await of.application(clientId),
      await of.membership(user, tenant),
      await of.tenant(tenant),
      ...(scene.inRedis ? [of.secret(own)] : []),
    ]
    t.same(
      before,
      carried.map(text => text.split(' ')[1]),
    )
    const dead = await deadIn(sql, async () => {
      await world.memberships.put({ user, tenant, roleIds: ['reader'], state: 'active' }, byOperator)
      await world.memberships.put(
        { user, tenant, roleIds: ['reader', 'writer'], state: 'active' },
        byOperator,
      )
      await world.tenants.changeRole(tenant, { id: 'writer', name: 'author', permissions: [] }, byOperator)
      await world.applications.change(clientId, { audiences: ['api'] }, byOperator)
    })
    t.same(dead.sort(), [carried[2], carried[3], carried[4]].sort())
    const after = await basis()
    t.same(
      after.filter(handle => dead.some(text => text.endsWith(handle))),
      [],
    )
    t.equal(after.length, before.length)
  })
