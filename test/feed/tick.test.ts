/** A look of an instance, with what may be committed in the middle of it: on a real Postgres, step by step. */
import { generateKeyPairSync } from 'node:crypto'
import { type Test, test } from 'tap'
import type { Handle } from '../../src/core/handle.js'
import type { Kid } from '../../src/core/principal.js'
import { createFeed } from '../../src/feed/feed.js'
import type { FeedAnswer } from '../../src/feed/question.js'
import type { FeedStore } from '../../src/feed/store.js'
import { postgresFeedStore } from '../../src/store/postgres/feed/feed-store.js'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { testDatabase } from '../support/database.js'

/** `every`: milliseconds between two looks. What is put into `before` and `after` is done around a call of the store. */
async function stage(t: Test, every = 100) {
  const { sql, address } = await testDatabase(t)
  const hot = new HotReads(address)
  const store = postgresFeedStore(hot)
  const around: { after?: ((call: 'read' | 'sequence') => Promise<unknown>) | undefined } = {}
  const told = async <T>(call: 'read' | 'sequence', work: Promise<T>): Promise<T> => {
    const answer = await work
    await around.after?.(call)
    return answer
  }
  const watched: FeedStore = {
    read: after => told('read', store.read(after)),
    sequence: () => told('sequence', store.sequence()),
    at: position => store.at(position),
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const feed = createFeed({
    issuer: 'https://id.example.com',
    store: watched,
    signer: async () => ({ kid: 'k' as Kid, private: privateKey, header: '' }),
    published: () => ({ digest: 'd' }) as never,
    failing: () => {},
    waited: () => {},
    everyMs: every,
  })
  t.teardown(() => {
    feed.close()
    return hot.close()
  })
  let count = 0
  /** One entry, committed; its handle, as it is sent. */
  const revoke = async () => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(++count))
    await sql`insert into revocations (handle, kind) values (${String(count)}::bigint, 'session')`
    return bytes.toString('base64url') as Handle
  }
  const read = (answer: FeedAnswer) => {
    if (answer === 'forked') throw new Error('forked')
    const [line = ''] = answer.messages.split('\n')
    return JSON.parse(Buffer.from(line.split('.')[1] ?? '', 'base64url').toString())
  }
  const ask = async (waitMs = 0) => read(await feed.ask({ after: undefined, waitMs }))
  const clock = async () => Number((await sql`select extract(epoch from clock_timestamp()) as now`)[0]?.now)
  return { sql, feed, revoke, ask, clock, around, read }
}

test('whatever had returned by `asof` is in the message, also what came while others were numbered', async t => {
  const { revoke, ask, clock, around } = await stage(t)
  await revoke()
  let missed: Handle | undefined
  let returnedAt = 0
  around.after = async call => {
    if (call !== 'sequence' || missed) return
    missed = await revoke()
    returnedAt = await clock()
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const told = await ask()
  t.ok(missed && returnedAt > 0, 'one came after the numbering')
  t.ok(told.dead.includes(missed) || told.asof < returnedAt, 'it does not say that it knows it')
  around.after = undefined
  t.ok((await ask()).dead.includes(missed))
})

test('who asks in the middle of a look is answered from another one', async t => {
  const { revoke, ask, feed, around } = await stage(t, 5)
  await ask()
  let second: Promise<unknown> | undefined
  let position: ReturnType<typeof feed.position> | undefined
  let handle: Handle | undefined
  around.after = async call => {
    if (call !== 'read' || second) return
    // The snapshot of this look is taken: it lacks what comes now.
    handle = await revoke()
    second = ask().then(({ dead }) => dead)
    position = feed.position()
  }
  await ask()
  t.strictSame(await second, [handle], 'the entry that was committed before the question')
  t.equal((await position)?.position, 1, 'the position covers it')
})

test('a change that is told in the middle of a look is looked for at once, and not at the end of the pause', async t => {
  const { revoke, feed, ask, around, read } = await stage(t, 3000)
  await revoke()
  const { to } = await ask()
  const [number = '', tag = ''] = to.split('.')
  let kicked = 0
  around.after = async call => {
    if (call !== 'read' || kicked > 0) return
    await revoke()
    kicked = performance.now()
    feed.kick()
  }
  const after = { position: Number(number), tag: tag as Handle }
  const held = feed.ask({ after, waitMs: 10_000 })
  feed.kick()
  t.equal(read(await held).dead.length, 1)
  t.ok(performance.now() - kicked < 1500, `${Math.round(performance.now() - kicked)} ms`)
})

test('an entry counts from when it was numbered: its transaction may have been open for long', async t => {
  const { sql, feed, clock } = await stage(t)
  const open = await sql.reserve()
  await open`begin`
  await open`insert into revocations (handle, kind) values (7, 'session')`
  await new Promise(resolve => setTimeout(resolve, 300))
  const before = await clock()
  await open`commit`
  open.release()
  await feed.position()
  const [row] = await sql`select extract(epoch from sequenced_at) as at from revocations`
  t.ok(Number(row?.at) >= before, 'tokens of until its commit rest on it')
})
