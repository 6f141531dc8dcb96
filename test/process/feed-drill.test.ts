/** `npm run drill -- feed`, small: it runs, nothing is accepted late, and nothing is refused in error. */
import { spawnSync } from 'node:child_process'
import { test } from 'tap'
import { root } from '../support/project.mjs'

const sizes = {
  verifiers: 4,
  rounds: 1,
  readers: 20,
  events: 2,
  entries: 300,
  seconds: 1,
  costs: 10,
}

test('the drill of the feed, at a small size', async t => {
  const parameters = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)])
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bench/feed.mjs', ...parameters], {
    cwd: root,
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
  t.match(stdout, /\b0 accepted late, 0 refused in error\n$/)
  for (const part of ['(a)', '(b)', '(c)', '(d)']) t.ok(stdout.includes(`| ${part} `), part)
  t.match(stdout, /\| 40 of 40 \|/, 'every reader heard of every event')
})
