/** Callers take turns at hashing: one with many hashes costs another the time of one, and never their place. */
import { test } from 'tap'
import { createHashTurns, HashQueueFull } from '../../src/accounts/hash-turns.js'

const cost = { memoryCost: 1 }

/** Work that is done when it is told to, and the order in which it began. */
function bench(queueLimit: number, limits = { concurrency: 1, memoryKib: 10 }) {
  const turns = createHashTurns(limits, queueLimit)
  const begun: string[] = []
  const ends: (() => void)[] = []
  const ask = (caller: string, memoryCost = 1) =>
    turns.run(caller, { ...cost, memoryCost }, () => {
      begun.push(caller)
      return new Promise<void>(end => ends.push(end))
    })
  async function finishAll(): Promise<void> {
    for (let end = ends.shift(); end; end = ends.shift()) {
      end()
      await new Promise(setImmediate)
    }
  }
  return { turns, begun, ask, finishAll }
}

const settled = (asked: readonly Promise<unknown>[]) => Promise.allSettled(asked)

test('a caller with many waits behind themselves, and another is next but one', async t => {
  const { begun, ask, finishAll, turns } = bench(64)
  const asked = [...Array.from({ length: 30 }, () => ask('ada')), ask('bob'), ask('eve'), ask('bob')]
  t.equal(turns.queued(), 32)
  await finishAll()
  t.equal((await settled(asked)).filter(({ status }) => status === 'fulfilled').length, 33)
  t.same(begun.slice(0, 7), ['ada', 'ada', 'bob', 'eve', 'ada', 'bob', 'ada'])
})

test('a queue that one caller has filled has room for another: the last of the many loses its place', async t => {
  const { begun, ask, finishAll, turns } = bench(10)
  const many = Array.from({ length: 11 }, () => ask('ada'))
  await t.rejects(ask('ada'), HashQueueFull, 'not for the one who has filled it')
  const others = [ask('bob'), ask('eve')]
  t.equal(turns.queued(), 10)
  const verdicts = settled(many)
  await finishAll()
  t.same(
    (await verdicts).map(({ status }) => status),
    [...Array(9).fill('fulfilled'), 'rejected', 'rejected'],
    'those that came last',
  )
  t.equal((await settled(others)).filter(({ status }) => status === 'fulfilled').length, 2)
  t.same(begun.slice(0, 4), ['ada', 'ada', 'bob', 'eve'])
})

test('where each has one waiting the newcomer is turned away, and nobody loses a place', async t => {
  const { ask, finishAll } = bench(3)
  const asked = [ask('ada'), ask('ada'), ask('bob'), ask('eve')]
  await t.rejects(ask('fay'), HashQueueFull)
  await finishAll()
  t.equal((await settled(asked)).filter(({ status }) => status === 'fulfilled').length, 4)
})

test('nobody passes a large one whose turn it is, and what it took is free afterwards', async t => {
  const { begun, ask, finishAll, turns } = bench(10, { concurrency: 2, memoryKib: 10 })
  const asked = [ask('ada', 6), ask('bob', 6), ask('eve', 1)]
  t.same([begun, turns.queued()], [['ada'], 2])
  await finishAll()
  await settled(asked)
  t.same(begun, ['ada', 'bob', 'eve'])
  t.equal(turns.queued(), 0)
})

test('random callers: as many at once as may be, each is served or turned away, and none is forgotten', async t => {
  const concurrency = 3
  const turns = createHashTurns({ concurrency, memoryKib: 100 }, 20)
  let running = 0
  let most = 0
  let over = false
  const asked = Array.from({ length: 400 }, async (_, index) => {
    for (let wait = 0; wait < index % 50; wait++) await new Promise(setImmediate)
    const work = async () => {
      most = Math.max(most, ++running)
      over ||= turns.queued() > 20
      await new Promise(setImmediate)
      running--
    }
    await turns.run(`caller ${(index * index) % 7}`, { memoryCost: 1 + (index % 30) }, work)
  })
  const verdicts = await settled(asked)
  t.equal(most, concurrency)
  t.notOk(over)
  t.ok(verdicts.some(({ status }) => status === 'rejected'))
  t.same([running, turns.queued()], [0, 0])
  await t.resolves(turns.run('anybody', cost, async () => {}))
})
