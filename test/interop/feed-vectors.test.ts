/** Verifiers of other languages that follow the feed: each passes every vector, and does the same over HTTP. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { test } from 'tap'
import { root } from '../support/project.mjs'
import { follow, type Program, programs } from './feed/follow.js'
import { audience, FeedIssuer, handleOf, newHandle, newKey } from './feed/issuer.js'
import { reachableIssuer, walked } from './issuer.js'

const there: Program[] = []

test('the verifiers are there', async t => {
  for (const program of programs()) {
    const { name, live } = program
    if (!('missing' in live)) there.push(program)
    else if (process.env.CI) t.fail(`${name} needs ${live.missing}`)
    else t.pass(`${name} follows the feed`, { skip: `no ${live.missing}` })
  }
  t.pass(`${there.map(({ name }) => name).join(' and ')} are there`)
})

test('each verifier passes every step of every vector', async t => {
  const folder = 'test/vectors/feed'
  const files = readdirSync(join(root, folder))
    .filter(name => name.endsWith('.json'))
    .map(name => join(folder, name))
  t.ok(files.length > 20)
  const expected = files.map(file => {
    const { title, steps } = JSON.parse(readFileSync(join(root, file), 'utf8'))
    return { title, steps: steps.length, faults: [] }
  })
  for (const { name, vectors } of there) {
    const [command = '', ...first] = vectors as readonly string[]
    const { stdout } = await promisify(execFile)(command, [...first, ...files], { cwd: root })
    const said = stdout.trimEnd().split('\n')
    t.same(
      said.map(line => JSON.parse(line)),
      expected,
      name,
    )
  }
})

test('each verifier follows a feed that is cut, killed, restored and raised', async t => {
  for (const program of there) {
    const world = await new FeedIssuer().listen(t)
    const [user, other] = [newHandle(), newHandle()]
    const { verify, becomes } = follow(t, program, world.issuer, 'required', audience)
    const token = world.token([user])
    const says = async (wanted: string, what: string, one = token, seconds?: number) =>
      t.equal(await becomes(one, wanted, seconds), wanted, `${program.name}: ${what}`)

    await says('ok', 'a token is taken once the feed was loaded')
    t.equal(await verify(world.token([], newKey())), 'unknown_key', `${program.name}: a stranger’s is not`)
    world.kill(user)
    await says('stale_token', 'a revoked one is refused within a second', token, 1)
    await says('ok', 'another is taken', world.token([other]))

    world.instead = (_, answer) => void answer.writeHead(307, { location: '/elsewhere' }).end()
    await says('revocation_unknown', 'a feed that is redirected is no feed', world.token([other]))
    await says('stale_token', 'and what was known is known')
    world.instead = (_, answer) => void answer.end('<html>')
    await delay(500)
    t.equal(await verify(world.token([other])), 'revocation_unknown', `${program.name}: nor is a page`)
    world.instead = undefined
    await says('ok', 'it comes back', world.token([other]))

    const [old] = world.keys
    const next = newKey()
    world.keys = [old ?? next, next]
    await says('ok', 'a new key is found', world.token([], next))
    world.signer = next
    world.kill(handleOf(old?.kid ?? ''))
    world.keys = [next]
    await says('stale_token', 'a killed key ends what it signed', world.token([other], old), 1)
    await says('ok', 'and all is loaded again', world.token([other]))
    t.equal(await verify(world.token([user])), 'stale_token', `${program.name}: with what was dead`)

    world.restore()
    await says('revocation_unknown', 'an old copy of the database is a fork', world.token([other]))
    for (let tries = 0; world.posted.length === 0 && tries < 200; tries++) await delay(50)
    t.equal(world.posted.length, 1, `${program.name}: it is told once, by a message`)
    t.match(world.posted[0], /^eyJ/)
    world.mend()
    await says('ok', 'a service that knows the cursor ends it', world.token([other]), 20)
    t.equal(await verify(world.token([user])), 'stale_token', `${program.name}: and nothing was forgotten`)

    world.restore()
    await says('revocation_unknown', 'it comes again', world.token([other]))
    const older = world.token([other])
    world.restore(world.generation + 1)
    await says('ok', 'a new generation ends it', world.token([user]), 20)
    t.equal(await verify(older), 'stale_token', `${program.name}: and ends older tokens`)
  }
})

test('each verifier takes the tokens of every way to a session', async t => {
  const world = await reachableIssuer(t)
  const tokens = await walked(world)
  for (const program of there) {
    const { verify } = follow(t, program, world.service.issuer, 'preferred', 'mintmark')
    for (const { way, token } of tokens) t.equal(await verify(token), 'ok', `${program.name}: ${way.way}`)
    const elsewhere = follow(t, program, world.service.issuer, 'off', 'demo-api')
    t.equal(await elsewhere.verify(tokens[0]?.token ?? ''), 'audience', `${program.name}: not for another`)
  }
})
