/** Work after an answer: when it starts, and that a shutdown waits for it. */
import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import { test } from 'tap'
import { createBackground } from '../../src/boot/background.js'
import { createMetrics } from '../../src/http/middleware/metrics.js'

const background = (unnoticedWithinMs?: number) =>
  createBackground(pino({ level: 'silent' }), createMetrics(), unnoticedWithinMs)

test('work that must not be noticed does not start with the answer, and a shutdown does not wait for its time', async t => {
  const { run, unnoticed, drain } = background(2 ** 31 - 2)
  const begun: string[] = []
  const work = (name: string) => async () => void begun.push(name)
  run('one', work('one'))
  unnoticed('two', work('two'))
  unnoticed('three', work('three'))
  await setImmediate()
  t.same(begun, ['one'])
  await drain(5000)
  t.same(begun, ['one', 'two', 'three'])
  unnoticed('four', work('four'))
  await drain(5000)
  t.same(begun, ['one', 'two', 'three', 'four'], 'also what comes while it drains')
})

test('work that must not be noticed starts by itself', async t => {
  const { unnoticed } = background(1)
  await new Promise<void>(resolve => unnoticed('one', async () => resolve()))
  t.pass()
})
