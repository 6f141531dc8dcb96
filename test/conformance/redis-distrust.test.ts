/** What lies in Redis is never a yes by itself: planted, moved, replayed, brought back or lost rows, and a Redis away. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { Outage } from '../../src/core/errors.js'
import type { ClientId, SessionId } from '../../src/core/principal.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { connectRedis } from '../../src/store/redis/connection.js'
import { copyToTable } from '../../src/store/sessions/moving/copy.js'
import { indexKey, rowKey, SessionRows } from '../../src/store/sessions/redis/session-rows.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { redisCluster } from '../support/redis-cluster.js'
import { eventually } from '../support/service.js'
import { type RedisWorld, redisWorld, worldOn } from './redis-world.js'
import {
  byOperator,
  byPerson,
  context,
  goneOf,
  listOf,
  liveness,
  newSession,
  opened,
  person,
  random,
  renewed,
  successor,
  times,
} from './world.js'

type Fields = Record<string, string>

const fieldsOf = (world: RedisWorld, id: SessionId): Promise<Fields> => world.redis.hgetall(rowKey(id))

async function putBack({ redis }: RedisWorld, id: SessionId, fields: Fields): Promise<void> {
  await redis.del(rowKey(id))
  await redis.hset(rowKey(id), fields)
}

const question = { tenant: undefined, client: 'mintmark' as ClientId, origin: undefined }

/** In every way that a session is asked for. */
async function states(world: RedisWorld, id: SessionId) {
  const { row } = await world.sessions.readForMint(id, question)
  return [await liveness(world, id), row ? 'a row' : 'none']
}

test('ST-25: a row that is not ours, or not this one, is as if it were not there', { skip }, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const [own, other] = [await opened(world, user), await opened(world, user)]
  const { row = '', mac = '', seen = '', place = '' } = await fieldsOf(world, own.id)
  const theirs = await fieldsOf(world, other.id)
  const [, kek = ''] = /^.{43}\.(.*)$/.exec(mac) ?? []
  const planted: Record<string, Fields> = {
    'no MAC': { row, seen },
    'a MAC of nothing': { row, seen, mac: `${randomBytes(32).toString('base64url')}.${kek}` },
    'a MAC under a key that can be no file': { row, seen, mac: mac.replace(kek, '../other') },
    'the row of another session': { ...theirs },
    'another person in it': { row: row.replace(user, (await person(world)).user), seen, mac },
    'a longer life': { row: row.replace(/"ends_at": "\d{4}/, '"ends_at": "2999'), seen, mac },
    'a space more': { row: `${row} `, seen, mac },
    'cut short': { row: row.slice(0, -1), seen, mac },
    'no JSON': { row: '}{', seen, mac },
    empty: { row: '', seen: '', mac: '' },
    oversize: { row: `${row}${' '.repeat(1_000_000)}`, seen, mac },
    'an oversize field beside it': { row, seen, mac, place: 'x'.repeat(100_000) },
    'the last use of another': { row, mac, seen: theirs.seen ?? '' },
    'a use in the future': { row, mac, seen: seen.replace(/^\d{4}/, '2999') },
    'no last use': { row, mac },
  }
  for (const [what, fields] of Object.entries(planted)) {
    await putBack(world, own.id, fields)
    t.same(await states(world, own.id), ['none', 'none'], what)
    t.equal(await world.sessions.renew({ ...renewalOf(own), id: own.id }), 'superseded', what)
    t.equal(await world.revocations.endOne(own.id, user, byPerson(user)), 'unknown', what)
  }
  const kinds: [string, () => Promise<unknown>][] = [
    ['a text', () => world.redis.set(rowKey(own.id), row)],
    ['a list', () => world.redis.lpush(rowKey(own.id), row, mac, seen)],
    ['a stream', () => world.redis.xadd(rowKey(own.id), '*', 'row', row)],
  ]
  for (const [what, plant] of kinds) {
    await world.redis.del(rowKey(own.id))
    await plant()
    t.same(await states(world, own.id), ['none', 'none'], what)
  }
  await putBack(world, own.id, { row, mac, seen, ...(place && { place }) })
  t.equal(await goneOf(world, own), 'live', 'as it was written it counts')
})

test('a tenant that somebody planted is none, and never one that the person is not in', { skip }, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const [own, other] = [await opened(world, user), await opened(world, user)]
  const tenant = await world.arrange.tenant('Acme')
  await world.arrange.member(user, tenant, [])
  await world.arrange.enterTenant(other.id, tenant)
  const { place = '' } = await fieldsOf(world, other.id)
  for (const planted of [tenant, place, `${tenant} `, `${tenant} x.first`, '-']) {
    await world.redis.hset(rowKey(own.id), 'place', planted)
    t.equal((await world.sessions.read(own.id)).row?.tenant, 'none', planted)
  }
  t.match((await world.sessions.read(other.id)).row?.tenant, { id: tenant })
})

test('a list that somebody planted shows nobody else’s sessions, and breaks no sign-in', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const stranger = await opened(world, (await person(world)).user)
  await world.redis.zadd(indexKey(user), 9e12, stranger.id, 9e12, 'x'.repeat(1000), 9e12, '')
  t.same(await listOf(world, user), [])
  await world.redis.set(indexKey(user), 'no list')
  t.same(await listOf(world, user), [])
  const own = await opened(world, user)
  t.same(
    (await listOf(world, user)).map(({ id }) => id),
    [own.id],
  )
})

test('a fail-back of Redis brings nothing to life: what was ended stands in Postgres', { skip }, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const ends: Record<string, (own: Awaited<ReturnType<typeof opened>>) => Promise<unknown>> = {
    'signed out': own => world.sessions.end(own.id, own.secretHash, 'signed-out', context),
    'ended by its person': own => world.revocations.endOne(own.id, user, byPerson(user)),
    'ended by an operator': own => world.revocations.endOne(own.id, 'anyone', byOperator),
    replaced: own => opened(world, user, { replaces: own }),
    renewed: own => renewed(world, own),
    'ended with its cause': own =>
      world.transaction(tx => world.within.end(tx, [own.id], 'by-provider', byOperator)),
    'signed out of when Redis had lost it': async own => {
      await world.redis.flushall()
      await refused(world, own)
    },
    'replaced when Redis had lost it': async own => {
      await world.redis.flushall()
      await opened(world, user, { replaces: own })
    },
    'ended by an operator when Redis had lost it': async own => {
      await world.redis.flushall()
      t.equal(await world.revocations.endOne(own.id, 'anyone', byOperator), 'ended')
    },
    'all others ended': async own => {
      const actor = byPerson(user)
      const last = await opened(world, user)
      await world.revocations.endOthers({ ...renewalOf(last), user, id: last.id }, actor)
      t.not(await goneOf(world, own), 'live')
    },
  }
  for (const [what, end] of Object.entries(ends)) {
    const own = await opened(world, user)
    const before = await fieldsOf(world, own.id)
    await end(own)
    await putBack(world, own.id, before)
    t.not(await goneOf(world, own), 'live', what)
    const { row } = await world.sessions.readForMint(own.id, question)
    t.ok(!row || row.ended || !row.epochsCurrent, `${what}: nothing is minted`)
    t.equal(await world.sessions.renew(renewalOf(own)), 'superseded', `${what}: nothing is renewed`)
    const moved = { id: own.id, provenSecretHash: own.secretHash, tenant: null, actor: user, context }
    t.equal(await world.sessions.switchTenant(moved), 'superseded', what)
    await world.sessions.touch(own.id)
    t.notOk(
      (await listOf(world, user)).some(({ id }) => id === own.id),
      `${what}: nor listed`,
    )
  }
})

test('signing out with the secret before ends the session under its new id, also when Redis has neither', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  for (const lost of [false, true]) {
    const first = await opened(world, user)
    const last = await renewed(world, await renewed(world, first))
    const fields = await fieldsOf(world, last.id)
    if (lost) await world.redis.flushall()
    t.equal(await world.sessions.end(first.id, first.secretHash, 'signed-out', context), 'ended')
    await putBack(world, last.id, fields)
    t.not(await goneOf(world, last), 'live')
  }
  const first = await opened(world, user)
  const last = await renewed(world, first)
  t.equal(await world.revocations.endOne(first.id, 'anyone', byOperator), 'ended', 'an id goes on, too')
  t.not(await goneOf(world, last), 'live')
})

test('a sign-out that nobody can prove refuses one secret, and ends no session of others', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const own = await opened(world, user)
  const fields = await fieldsOf(world, own.id)
  await world.redis.flushall()
  // Ids are public: this one is somebody's who does not know the secret.
  await refused(world, { id: own.id, secretHash: random(32) })
  await putBack(world, own.id, fields)
  t.equal(await goneOf(world, own), 'live')
  const [row] = await world.sql`select count(*)::int as count from revoked_sessions where id is null`
  t.equal(row?.count, 1)
  await world.redis.flushall()
  for (let again = 0; again < 3; again++) await refused(world, own)
  const [after] = await world.sql`select count(*)::int as count from revoked_sessions where id is null`
  t.equal(after?.count, 2, 'once for each secret')
})

test('FLUSHALL signs people out, and whoever signs in again is in', { skip }, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const own = await opened(world, user)
  await world.redis.flushall()
  t.equal(await goneOf(world, own), 'unknown')
  t.same(await listOf(world, user), [])
  t.equal(await goneOf(world, await opened(world, user)), 'live')
})

test('touches, ends and renewals of one session at once leave at most what the renewal made', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  for (let round = 0; round < 8; round++) {
    const own = await opened(world, user)
    await world.arrange.age(own.id, { idle: 500 })
    const renewal = { ...renewalOf(own), next: successor() }
    const [ended, answer] = await Promise.all([
      world.sessions.end(own.id, own.secretHash, 'signed-out', context),
      world.sessions.renew(renewal),
      ...Array.from({ length: 10 }, () => world.sessions.touch(own.id)),
    ])
    t.equal(ended, 'ended')
    t.not(await goneOf(world, own), 'live')
    // Whichever came first: the secret that was proved at the end had gone on under the new one, or nothing had.
    if (typeof answer !== 'string') t.not(await liveness(world, answer.renewed.id), 'live', `round ${round}`)
  }
})

test('two that end all others by one cookie: one goes on, the other is told to try again', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const own = await opened(world, user)
  const ends = await times(2, () =>
    world.revocations.endOthers({ ...renewalOf(own), user, id: own.id, next: successor() }, byPerson(user)),
  )
  t.equal(ends.filter(answer => answer === 'superseded').length, 1)
  const [won] = ends.filter(answer => typeof answer !== 'string')
  t.equal(await liveness(world, won?.renewed ?? own.id), 'live')
})

test('a session that ended, or was renewed, in the table is over here too: sessions may move', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const insert = async (own: Awaited<ReturnType<typeof opened>>) => {
    const stored = await world.rows.read(own.id)
    await world.sql`insert into sessions select * from jsonb_populate_record(null::sessions,
      ${stored?.row ?? ''}::text::jsonb || ${stored?.changes ?? ''}::text::jsonb)`
  }
  const [kept, ended, renewedThere, endedHere] = [
    await opened(world, user),
    await opened(world, user),
    await opened(world, user),
    await opened(world, user),
  ]
  for (const own of [kept, ended, renewedThere, endedHere]) await insert(own)
  await world.sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${ended.id}`
  await world.sql`update sessions set secret_hash = ${random(32)} where id = ${renewedThere.id}`
  await world.revocations.endOne(endedHere.id, user, byPerson(user))
  t.equal(await goneOf(world, kept), 'live')
  for (const own of [ended, renewedThere, endedHere]) t.not(await goneOf(world, own), 'live')
  const [row] = await world.sql`select ended_reason from sessions where id = ${endedHere.id}`
  t.equal(row?.ended_reason, 'by-person', 'and what ends here ends there')
})

test('rows go on to count when the key-encryption key is changed, for as long as the old one is here', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const own = await opened(world, user)
  await world.arrange.age(own.id, { idle: 500 })
  await writeFile(join(world.keysFolder, 'second.kek'), `${randomBytes(32).toString('base64')}\n`, {
    mode: 0o600,
  })
  t.same(await world.keks.reload(), [])
  t.equal(world.keks.newest(), 'second')
  t.equal(await goneOf(world, own), 'live')
  await world.sessions.touch(own.id)
  const { row } = await world.sessions.read(own.id)
  t.ok(row && row.lastSeenAgeSeconds < 60, 'it is touched')
  const next = await renewed(world, own)
  await rm(join(world.keysFolder, 'first.kek'))
  t.same(await world.keks.reload(), [])
  t.equal(await goneOf(world, next), 'live')
})

test('P4: a row under a key that is not here is an outage that names it: nobody can say that it is none', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const own = await opened(world, user)
  const fields = await fieldsOf(world, own.id)
  const [, kek = ''] = /^.{43}\.(.*)$/.exec(fields.mac ?? '') ?? []
  const asks: Record<string, () => Promise<unknown>> = {
    check: () => world.sessions.read(own.id),
    mint: () => world.sessions.readForMint(own.id, question),
    touch: () => world.sessions.touch(own.id),
    renew: () => world.sessions.renew(renewalOf(own)),
    list: () => world.revocations.list(user, { limit: 100, after: undefined }),
    'end one of mine': () => world.revocations.endOne(own.id, user, byPerson(user)),
    'copy into the table': () => copyToTable(world.database, world.rows),
  }
  for (const name of ['second', '__proto__']) {
    const missing = Object.entries(fields).map(([field, text]) => [
      field,
      text.replace(`.${kek}`, `.${name}`),
    ])
    await putBack(world, own.id, Object.fromEntries(missing))
    for (const [what, ask] of Object.entries(asks))
      await t.rejects(ask(), { name: 'Outage', outcome: 'nothing', message: `${name}.kek is missing` }, what)
  }
  await refused(world, own)
  t.equal(await world.revocations.endOne(own.id, 'anyone', byOperator), 'ended', 'an end needs no row')
  await putBack(world, own.id, fields)
  t.not(await goneOf(world, own), 'live')
})

test('a row that another instance wrote under a key that is new in the folder counts at once', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const own = await opened(world, user)
  const second = join(world.keysFolder, 'second.kek')
  await writeFile(second, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  const { keys } = await loadKeyEncryptionKeys(world.keysFolder)
  const there = new SessionRows(world.redis, keys, { read: 5000, write: 5000 })
  const { row = '', seen = '' } = await fieldsOf(world, own.id)
  await world.redis.del(rowKey(own.id))
  await there.write({ id: own.id, user, row, seen: seen.split(' ')[0] ?? '', now: 0, endsAt: 3_600_000 })
  t.notOk(world.keks.has('second'))
  t.equal(await goneOf(world, own), 'live')
  t.ok(world.keks.has('second'))
})

test('P4: a Redis that cannot be asked is an outage, and nobody is told that their session is gone', {
  skip,
}, async t => {
  const server = await redisServer(t)
  server.start()
  const world = await worldOn(t, server.url)
  const { user } = await person(world)
  const own = await opened(world, user)
  const outage = { name: 'Outage', outcome: 'nothing' }
  const asks: Record<string, () => Promise<unknown>> = {
    check: () => world.sessions.read(own.id),
    mint: () => world.sessions.readForMint(own.id, question),
    touch: () => world.sessions.touch(own.id),
    renew: () => world.sessions.renew(renewalOf(own)),
    switch: () =>
      world.sessions.switchTenant({
        ...{ id: own.id, provenSecretHash: own.secretHash, tenant: null, actor: user, context },
      }),
    open: () => world.sessions.open(newSession(user)),
    list: () => listOf(world, user),
    'end one of mine': () => world.revocations.endOne(own.id, user, byPerson(user)),
    'end others': () => world.revocations.endOthers({ ...renewalOf(own), user, id: own.id }, byPerson(user)),
  }
  const refuses = async (t: Test) => {
    for (const [what, ask] of Object.entries(asks)) await t.rejects(ask(), outage, what)
  }
  await server.stop()
  await t.test('stopped', refuses)
  server.start()
  await eventually(async () => (await goneOf(world, own).catch(() => undefined)) === 'unknown' || undefined)
  const again = await opened(world, user)
  Object.assign(own, again)

  const replica = await redisServer(t)
  replica.start()
  const { port } = new URL(replica.url)
  const master = connectRedis(replica.url, 50)
  t.teardown(() => master.disconnect())
  await eventually(
    async () =>
      await master.connect().then(
        () => true,
        () => undefined,
      ),
  )
  await master.config('SET', 'repl-diskless-sync-delay', '0')
  await world.redis.call('replicaof', '127.0.0.1', port)
  await t.test('a replica, of a master that has nothing', async t => {
    await eventually(async () => /link_status:up/.test(await world.redis.info('replication')) || undefined)
    t.match(await world.sessions.read(own.id).catch(error => error), outage, 'it must not say "none"')
    for (const what of ['renew', 'open', 'end others'] as const) {
      const answer = await asks[what]?.().catch(error => error)
      t.match(answer, outage, `${what}: READONLY`)
    }
  })
  await world.redis.call('replicaof', 'no', 'one')
  const full = await opened(world, user)
  await world.redis.config('SET', 'maxmemory', '1')
  await t.test('full', async t => {
    t.equal(await goneOf(world, full), 'live', 'what is there can be read')
    t.equal(await goneOf(world, own), 'unknown', 'and what is not there is not there')
    t.match(await world.sessions.renew(renewalOf(full)).catch(error => error), outage, 'OOM')
    t.match(await asks.open?.().catch(error => error), outage, 'OOM')
    t.equal(await goneOf(world, full), 'live')
    t.equal(await world.sessions.end(full.id, full.secretHash, 'signed-out', context), 'ended')
    t.not(await goneOf(world, full), 'live')
  })
})

test('the list of devices forgets what has ended, and nothing that is only about to be', {
  skip,
}, async t => {
  const world = await redisWorld(t)
  const { user } = await person(world)
  const [own, other] = [await opened(world, user), await opened(world, user)]
  const listed = async () => (await listOf(world, user)).map(({ id }) => id)
  const fields = await fieldsOf(world, own.id)
  await world.redis.del(rowKey(own.id))
  t.same(await listed(), [other.id], 'listed first, and written a moment later')
  await putBack(world, own.id, fields)
  t.same((await listed()).sort(), [own.id, other.id].sort())

  const third = await opened(world, user, { replaces: other })
  const next = await renewed(world, third)
  t.equal(await world.revocations.endOne(own.id, user, byPerson(user)), 'ended')
  const inIndex = () => world.redis.zrange(indexKey(user), '0', '-1')
  t.same(await inIndex(), [next.id], 'ended, replaced and renewed ones make room by themselves')
  t.equal(await world.sessions.end(next.id, next.secretHash, 'signed-out', context), 'ended')
  t.same(await inIndex(), [])
})

test('a sign-in that a hanging Redis did not answer leaves no device behind when it wakes up', {
  skip,
}, async t => {
  const server = await redisServer(t)
  server.start()
  const world = await worldOn(t, server.url, { read: 300, write: 300 })
  const { user } = await person(world)
  await opened(world, user)
  const before = await world.arrange.sessionCount()
  const commands = world.redis as unknown as Record<string, (...all: unknown[]) => Promise<unknown>>
  const list = commands.mintmark_listBuffer?.bind(world.redis)
  commands.mintmark_listBuffer = async (...all) => {
    const answer = await list?.(...all)
    server.freeze()
    return answer
  }
  t.type(await opened(world, user).catch(error => error), Outage)
  server.thaw()
  await eventually(async () => (await world.redis.ping().catch(() => undefined)) || undefined)
  t.equal(await world.arrange.sessionCount(), before)
  t.equal((await listOf(world, user)).length, 1)
})

test('P4: signing out, and what an operator ends, need no Redis', { skip }, async t => {
  const server = await redisServer(t)
  server.start()
  const world = await worldOn(t, server.url)
  const { user } = await person(world)
  const [own, other, third] = [
    await opened(world, user),
    await opened(world, user),
    await opened(world, user),
  ]
  const rows = await Promise.all([own, other, third].map(({ id }) => fieldsOf(world, id)))
  await server.stop()
  await refused(world, own)
  t.equal(await world.revocations.endOne(other.id, 'anyone', byOperator), 'ended')
  server.start()
  await eventually(async () => (await world.redis.ping().catch(() => undefined)) || undefined)
  for (const [index, { id }] of [own, other, third].entries()) await putBack(world, id, rows[index] ?? {})
  t.not(await goneOf(world, own), 'live')
  t.not(await goneOf(world, other), 'live')
  t.equal(await goneOf(world, third), 'live')
  await server.stop()
  t.same(await world.revocations.endAllOf(user, byOperator), {})
  t.same(await world.revocations.endAll(byOperator), {})
})

test('a Cluster: slots that move lose nobody, and a node that is gone takes only its own along', {
  skip,
}, async t => {
  const cluster = await redisCluster(t)
  const world = await worldOn(t, cluster.url)
  const { user } = await person(world)
  const sessions = await times(12, () => opened(world, user))
  for (const { id } of sessions.slice(0, 4)) await cluster.move(rowKey(id))
  await cluster.move(indexKey(user))
  for (const own of sessions) {
    // Nodes tell each other of a move in their own time: until then it may be an outage, and is never a no.
    const answer = await eventually(() => goneOf(world, own).catch(() => undefined))
    t.equal(answer, 'live')
  }
  const listed = await eventually(() => listOf(world, user).catch(() => undefined))
  t.equal(listed.length, sessions.length)

  const [first] = sessions
  const gone = await cluster.holderOf(rowKey(first?.id ?? ''))
  const holders = await Promise.all(sessions.map(({ id }) => cluster.holderOf(rowKey(id))))
  gone.freeze()
  for (const [index, own] of sessions.entries()) {
    const hasty = new SessionRows(world.redis, world.keks, { read: 200, write: 200 })
    const answer = await hasty.read(own.id).catch(error => error)
    if (holders[index] === gone) t.type(answer, Outage, 'of the node that hangs')
    else t.ok(answer instanceof Outage || answer?.row, 'of another')
  }
  gone.thaw()
  await gone.kill()
  await eventually(async () => {
    const answers = await Promise.all(sessions.map(own => goneOf(world, own).catch(error => error.name)))
    return (
      answers.every(
        (answer, index) => answer === 'Outage' || (holders[index] !== gone && answer === 'live'),
      ) || undefined
    )
  })
  await gone.start()
  await eventually(async () => {
    const answers = await Promise.all(sessions.map(own => goneOf(world, own).catch(error => error.name)))
    return answers.every(answer => answer === 'live') || undefined
  }, 20)
})

function renewalOf(own: Awaited<ReturnType<typeof opened>>) {
  const { id, secretHash: provenSecretHash, identity } = own
  return { id, provenSecretHash, next: successor(), identity, context }
}

/** Signs out of what Redis lacks. */
async function refused(world: RedisWorld, { id, secretHash }: { id: SessionId; secretHash: Buffer }) {
  const ending = await world.sessions.end(id, secretHash, 'signed-out', context)
  if (ending !== 'ended') await ending.refuse()
}
