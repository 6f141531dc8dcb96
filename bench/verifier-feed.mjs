// What the feed of revocations costs a verification: the look-up of a token's six handles among live entries, in parts of
// a whole verification of ES256, in seconds of the processor. Tokens are freshly parsed, as in a server.
//
//   npm run bench:verifier:feed             seven rounds
//   npm run bench:verifier:feed -- 3        three
import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import { createVerifier } from '@mintmark/verifier'
import { DeadHandles } from '../packages/verifier/dist/dead-handles.js'
import { audience, issuer, newKey, tokenOf } from './verifier-drills.mjs'

const [rounds = 7] = process.argv.slice(2).map(Number)
const handle = () => randomBytes(8).toString('base64url')
const median = values => [...values].sort((one, other) => one - other)[values.length >> 1]

/** Microseconds of the processor for one piece of the work. */
async function cost(work, pieces) {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / pieces
}

const key = await newKey()
const token = tokenOf(key, Math.floor(Date.now() / 1000))
const verifier = createVerifier({ issuer, audience, keys: { keys: [key.jwk] } })
const verifications = 4_000
const verify = () =>
  cost(async () => {
    for (let count = 0; count < verifications; count++)
      if (!(await verifier.verify(token)).ok) throw new Error('refused')
  }, verifications)

/** Texts as JSON.parse makes them: their characters are not yet in any table. */
const tokens = Array.from({ length: 50_000 }, () => JSON.stringify(Array.from({ length: 6 }, handle)))

/** A plain Map is what one would write first. */
function subjects(entries) {
  const handles = Array.from({ length: entries }, handle)
  const dead = new DeadHandles()
  for (let at = 0; at < entries; at += 10_000) dead.add(handles.slice(at, at + 10_000), 1)
  const map = new Map(handles.map(one => [one, 0]))
  return { ours: one => dead.has(one), map: one => map.has(one), nothing: () => false }
}

function lookUps(has) {
  const parsed = tokens.map(text => JSON.parse(text))
  let found = 0
  return cost(() => {
    for (const handles of parsed) for (const one of handles) if (has(one)) found++
    if (found > parsed.length) throw new Error('they are random')
  }, parsed.length)
}

await verify()
const whole = []
console.log(`${cpus()[0]?.model.trim()}, Node ${process.version}, ${rounds} rounds, medians\n`)
const lines = []
for (const entries of [1_000, 10_000, 100_000, 1_000_000]) {
  const { nothing, ...others } = subjects(entries)
  const net = { ours: [], map: [] }
  for (let round = 0; round <= rounds; round++) {
    const idle = await lookUps(nothing)
    for (const [name, has] of Object.entries(others)) {
      const spent = (await lookUps(has)) - idle
      // The first round warms up.
      if (round > 0) net[name].push(spent)
    }
    whole.push(await verify())
  }
  lines.push([entries, median(net.ours), median(net.map)])
}
const one = median(whole)
const share = micros => `${((micros / one) * 100).toFixed(2)} % (${(micros * 1000).toFixed(0)} ns)`
console.log(`one verification: ${one.toFixed(1)} µs\n`)
console.log('| live entries | look-up of six handles, of a verification | by a Map alone |\n|---|---|---|')
for (const [entries, ours, map] of lines) console.log(`| ${entries} | ${share(ours)} | ${share(map)} |`)
