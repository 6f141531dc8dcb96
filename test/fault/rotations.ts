/** Rotations for real: instances under load and SIGKILL, a compressed policy, and jose's own remote key set as the verifier. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Cluster, Fleet } from './cluster/cluster.js'
import { person, session } from './people.js'
import { chance } from './random/prng.js'
import { startOthers } from './verifiers/others.js'

/** Seconds: P + C + S is 10, and so is P + T + S. The verifier's own times are compressed with them. */
const policy = {
  longest_lifetime: 5,
  skew: 1,
  list_age: 4,
  verifier_age: 5,
  lead: 10,
  tail: 10,
  rotate_every: 10,
}
const verifierTimes = { cacheMaxAge: 4000, cooldownDuration: 150, timeoutDuration: 1000 }
const issuer = 'http://localhost:4000'
/** Seconds, as everywhere: a verification that comes late on a busy machine is not what is tried. */
const leeway = 3
const tick = 10

export async function runRotations(
  cluster: Cluster,
  tree: string,
  { rotations, mintsPerSecond }: { rotations: number; mintsPerSecond: number },
  print: (line: string) => void,
): Promise<boolean> {
  const { sql } = cluster.primary
  await sql`update key_policy set ${sql(policy)}`
  const fleet = await cluster.fleet(tree, 3)
  await Promise.all(fleet.instances.map(instance => instance.start()))
  await sql`insert into applications (client_id, name, audiences) values ('rotations', 'Rotations', '{orders-api}')`
  const { cookie } = await session(sql, await person(sql))
  const random = chance(4711)
  const balancer = await balance(fleet)
  const jwks = `${balancer.url}/.well-known/jwks.json`
  const verifiers = Array.from({ length: 4 }, () => createRemoteJWKSet(new URL(jwks), verifierTimes))
  const others = await startOthers(jwks, issuer, 'orders-api', policy.list_age, cluster.folder)
  for (const { name, missing } of others) if (missing) print(`skipped  ${name}: ${missing}`)
  const kids = new Set<string>()
  const counts = { mints: 0, cut: 0, unexpected: 0, verified: 0, refused: 0, refusedAsLeaked: 0 }
  let leakedKid: string | undefined
  const lastMints = new Map<string, number>()
  let over = false

  async function verify(token: string): Promise<void> {
    try {
      await jwtVerify(token, random.of(verifiers), {
        issuer,
        audience: 'orders-api',
        typ: 'at+jwt',
        clockTolerance: leeway,
      })
      counts.verified++
      for (const other of others) await other.verify(token)
    } catch (error) {
      const kid = decodeProtectedHeader(token).kid
      if (kid === leakedKid) {
        counts.refusedAsLeaked++
        return
      }
      counts.refused++
      print(`refused: ${String(error)} (kid ${kid})`)
    }
  }

  async function mint(): Promise<void> {
    const { port, alive } = random.of(fleet.instances)
    if (!alive) return
    const began = performance.now()
    const ask = { method: 'POST', path: '/v1/token', cookie, body: { client_id: 'rotations' } } as const
    const answer = await cluster.http.ask(port, ask).catch(() => undefined)
    if (!answer) {
      counts.cut++
      return
    }
    counts.mints++
    if (answer.status !== 200) {
      counts.unexpected++
      print(`unexpected: ${answer.status} ${JSON.stringify(answer.body)}`)
      return
    }
    const { access_token: token } = answer.body as { access_token: string }
    const { kid = '' } = decodeProtectedHeader(token)
    kids.add(kid)
    lastMints.set(kid, Math.max(began, lastMints.get(kid) ?? 0))
    await verify(token)
    const left = (decodeJwt(token).exp ?? 0) * 1000 - Date.now()
    await setTimeout(Math.max(0, left * (0.5 + random.next() / 2) - 150))
    await verify(token)
  }

  async function load(): Promise<void> {
    const began = performance.now()
    const open = new Set<Promise<void>>()
    for (let due = 0; !over; await setTimeout(tick)) {
      for (const now = ((performance.now() - began) / 1000) * mintsPerSecond; due < now; due++) {
        const one: Promise<void> = mint().finally(() => open.delete(one))
        open.add(one)
      }
    }
    await Promise.all(open)
  }

  const startedAt = performance.now()
  const loading = load()
  let kills = 0
  while (kids.size <= rotations) {
    const seen = kids.size
    await setTimeout(random.between(0, policy.rotate_every * 800))
    const victim = random.of(fleet.instances)
    await victim.kill()
    kills++
    await victim.start()
    while (kids.size === seen) await setTimeout(50)
  }
  leakedKid = newest(lastMints)
  const leak = await leaked(cluster, fleet, tree, leakedKid)
  await setTimeout(2000)
  const late = (lastMints.get(leakedKid) ?? 0) - leak.returnedAt
  over = true
  await loading
  balancer.close()
  for (const other of others) other.close()
  const seconds = (performance.now() - startedAt) / 1000
  for (const { name, verified, refused, reasons } of others) {
    print(`${name}: ${verified()} verified, ${refused()} refused ${[...reasons].join('; ')}`)
    counts.refused += refused()
  }
  const ended = await sql`select from sessions where ended_at is not null`
  print(
    `${kids.size - 1} changes of the signer (${rotations} of them rotations) and ${kills} SIGKILLs in ${seconds.toFixed(0)} s on 3 instances: ${counts.mints} mints, ${counts.verified} verifications by jose's remote key set, ${counts.refused} refused; ${counts.cut} requests cut by a kill, ${counts.unexpected} unexpected answers`,
  )
  print(
    `a leaked key under ${mintsPerSecond} mints a second: the command took ${leak.took.toFixed(0)} ms; the last mint with it began ${(-late).toFixed(0)} ms before it returned; the list was without it after ${leak.dropped.map(ms => `${ms.toFixed(0)} ms`).join(', ')}; ${counts.refusedAsLeaked} of its tokens were refused then; ${ended.length} sessions ended`,
  )
  for (const line of leak.exposure) print(`  ${line}`)
  await fleet.close()
  return counts.refused + counts.unexpected + ended.length === 0 && late <= 0
}

/** The kid of the token that was asked for last. */
function newest(lastMints: Map<string, number>): string {
  return [...lastMints].sort(([, a], [, b]) => b - a)[0]?.[0] ?? ''
}

/** A load balancer for the list: whichever instance answers. */
async function balance({ instances }: Fleet) {
  let next = 0
  const server = createServer(async (request, response) => {
    for (let tries = 0; tries < 3 * instances.length; tries++) {
      const { port } = instances[next++ % instances.length] as (typeof instances)[0]
      const answer = await fetch(`http://127.0.0.1:${port}${request.url}`).catch(() => undefined)
      if (!answer) continue
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
      return
    }
    response.writeHead(502).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => void server.close() }
}

/** `mintmark keys rotate --compromised` on the signer, and how long each instance still lists it. */
async function leaked(cluster: Cluster, { instances }: Fleet, tree: string, kid: string) {
  const env = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: cluster.operatorUrl,
    ISSUER: issuer,
    MINTMARK_KEYS_FOLDER: join(cluster.folder, 'keys'),
    MINTMARK_OUTBOX_FOLDER: join(cluster.folder, 'outbox'),
  }
  const args = [join(tree, 'dist', 'cli.js'), 'keys', 'rotate', `--compromised=${kid}`]
  const began = performance.now()
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: cluster.folder })
  const returnedAt = performance.now()
  const dropped = await Promise.all(
    instances.map(async ({ port }) => {
      for (;;) {
        const { body } = await cluster.http.ask(port, { method: 'GET', path: '/.well-known/jwks.json' })
        const { keys } = body as { keys: { kid: string }[] }
        if (!keys.some(key => key.kid === kid)) return performance.now() - returnedAt
        await setTimeout(tick)
      }
    }),
  )
  const exposure = stdout.split('\n').filter(line => /^ {2}|^How long/.test(line))
  return { took: returnedAt - began, returnedAt, dropped, exposure }
}
