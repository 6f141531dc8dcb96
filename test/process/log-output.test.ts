/** The way of the log out of the process, over pipes that are not read, a full disk, and a reader that is gone. */
import { spawnSync } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { openLog } from '../../src/boot/log.js'
import { eventually } from '../support/service.js'

/** A pipe whose writer is a number, as standard output is; it takes 64 KiB that are not read. */
async function pipe(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-pipe-'))
  const path = join(folder, 'pipe')
  if (spawnSync('mkfifo', [path]).status !== 0) throw new Error('mkfifo failed')
  // Not through libuv's threads: one that waits for a pipe would keep the test from ending.
  const reader = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    writable: false,
  })
  const writer = openSync(path, constants.O_WRONLY)
  let text = ''
  reader.pause().setEncoding('utf8')
  t.teardown(async () => {
    reader.destroy()
    await rm(folder, { recursive: true })
  })
  const read = () => {
    reader.on('data', more => {
      text += more
    })
    reader.resume()
  }
  const lines = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
  return { writer, reader, read, lines }
}

const long = 'x'.repeat(1000)

test('lines wait up to the bound, in order; more are dropped, counted, and told when it flows again', async t => {
  const { writer, read, lines } = await pipe(t)
  const output = openLog('info', writer, 100_000)
  for (let number = 0; number < 300; number++) output.log.info({ number, long })
  const lost = output.dropped()
  t.ok(lost > 190 && lost < 220, `${lost}`)
  read()
  const told = await eventually(() => lines().find(line => line.dropped !== undefined))
  t.equal(told.dropped, lost)
  output.log.info('again')
  t.equal(await output.close(5000), true)
  await eventually(() => lines().at(-1)?.msg === 'again' || undefined)
  t.same(
    lines()
      .slice(0, -2)
      .map(line => line.number),
    Array.from({ length: 300 - lost }, (_, number) => number),
  )
})

test('closing writes what waits, and takes no more lines', async t => {
  const { writer, read, lines } = await pipe(t)
  const output = openLog('info', writer)
  for (let number = 0; number < 200; number++) output.log.info({ number, long })
  const closed = output.close(10_000)
  output.log.info('too late')
  read()
  t.equal(await closed, true)
  await eventually(() => lines().length >= 200 || undefined)
  t.equal(lines().length, 200)
  t.equal(output.dropped(), 0)
})

test('closing does not wait longer than it was told to, nor does the exit', async t => {
  const { writer, read } = await pipe(t)
  const output = openLog('info', writer)
  for (let number = 0; number < 200; number++) output.log.info({ number, long })
  t.equal(await output.close(20), false)
  t.doesNotThrow(() => output.log.info('too late'))
  read()
})

test('a full disk stops nothing: lines wait for room, and are counted when there are too many', async t => {
  const output = openLog('info', openSync('/dev/full', 'w'), 50_000)
  for (let number = 0; number < 100; number++) {
    output.log.info({ number, long })
    await new Promise(resolve => setImmediate(resolve))
  }
  t.ok(output.dropped() >= 50 && output.dropped() < 60, `${output.dropped()}`)
  t.equal(await output.close(20), false)
})

test('when the reader is gone every line is counted as dropped', async t => {
  const { writer, reader } = await pipe(t)
  const output = openLog('info', writer)
  reader.destroy()
  await eventually(() => {
    output.log.info('nobody')
    return output.dropped() > 0 || undefined
  })
  const before = output.dropped()
  output.log.info('nobody')
  t.equal(output.dropped(), before + 1)
  t.equal(await output.close(5000), true)
})
