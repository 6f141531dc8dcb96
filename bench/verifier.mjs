// The figures of packages/verifier/README.md: our verifier and jose's remote key set in the same trouble, and how many
// tokens each verifies in a second of one core, beside a loop written by hand around crypto.verify. Seconds of the
// processor count, not of the clock on the wall: jose's work is done by several threads, and on a busy machine those
// get more of a core than one thread does.
//
//   npm run bench:verifier             eleven rounds of half a second
//   npm run bench:verifier -- 5 1      five rounds of one
import { createPublicKey, verify } from 'node:crypto'
import { cpus } from 'node:os'
import { createVerifier } from '@mintmark/verifier'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { audience, issuer, newKey, runDrills, tokenOf } from './verifier-drills.mjs'

const [rounds = 11, seconds = 0.5] = process.argv.slice(2).map(Number)
console.log(`${cpus()[0]?.model.trim()}, Node ${process.version}\n`)
console.log('| | ours | jose |\n|---|---|---|')
for (const { what, ours, jose } of await runDrills(createVerifier))
  console.log(`| ${what} | ${ours} | ${jose} |`)

const key = await newKey()
const token = tokenOf(key, Math.floor(Date.now() / 1000))
const jwks = { keys: [key.jwk] }
const verifier = createVerifier({ issuer, audience, keys: jwks })
const set = createLocalJWKSet(jwks)
const policy = { issuer, audience, algorithms: ['ES256'], typ: 'at+jwt', clockTolerance: 30 }
const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' })

/** The least: it judges nothing that the token says. */
async function byHand() {
  const [header, payload, signature] = token.split('.')
  const how = { key: publicKey, dsaEncoding: 'ieee-p1363' }
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), how, Buffer.from(signature, 'base64url')))
    throw new Error('the signature')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}
const subjects = {
  ours: async () => {
    if (!(await verifier.verify(token)).ok) throw new Error('refused')
  },
  jose: () => jwtVerify(token, set, policy),
  limit: byHand,
}

/** Sixteen at once, as in a server. */
async function rate(work) {
  let count = 0
  const end = performance.now() + seconds * 1000
  const before = process.cpuUsage()
  while (performance.now() < end) {
    await Promise.all(Array.from({ length: 16 }, work))
    count += 16
  }
  const { user, system } = process.cpuUsage(before)
  return (count / (user + system)) * 1e6
}

const rates = { ours: [], jose: [], limit: [] }
for (const work of Object.values(subjects)) await rate(work)
for (let round = 0; round < rounds; round++)
  for (const [name, work] of Object.entries(subjects)) rates[name].push(await rate(work))

const median = values => [...values].sort((one, other) => one - other)[values.length >> 1]
const ratio = (one, other) => median(rates[one].map((value, round) => value / rates[other][round])).toFixed(2)
console.log(`\n${rounds} interleaved rounds of ${seconds} s, medians\n`)
console.log('| verifications a second of one core | ours | jose | by hand |\n|---|---|---|---|')
console.log(`| | ${['ours', 'jose', 'limit'].map(name => median(rates[name]).toFixed(0)).join(' | ')} |`)
console.log(`| ours divided by this | | ${ratio('ours', 'jose')} | ${ratio('ours', 'limit')} |`)
