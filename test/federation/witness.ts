/** What must hold after every attack: nothing was made, a page says so in our words, and the log holds no secret. */
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { catalogue, type ErrorCode } from '../../src/http/middleware/problem.js'
import { type Attack, type Elsewhere, marker } from '../red/federation.js'
import type { Lie } from '../support/hostile-lies.js'
import type { Lies } from '../support/hostile-provider.js'
import type { TestService } from '../support/service.js'
import { clientSecret, codeOf, type FederationWorld, type Visitor } from './world.js'

export interface Made {
  readonly users: number
  readonly identities: number
  readonly sessions: number
}

export async function made({ service }: FederationWorld): Promise<Made> {
  const [counts] = await service.database.sql`select (select count(*)::int from users) as users,
    (select count(*)::int from federated_identities) as identities, (select count(*)::int from sessions) as sessions`
  return counts as unknown as Made
}

/** What went between the service and its provider and must never be read in a log or on a page. */
export function secretsOf({ provider }: FederationWorld, issued: Iterable<string>): Set<string> {
  const seen = provider.requests.flatMap(({ parameters, headers }) => [
    ...['code', 'state', 'nonce', 'code_verifier', 'code_challenge', 'client_secret'].map(
      name => parameters[name],
    ),
    headers.authorization?.split(' ')[1],
  ])
  return new Set(
    [...seen, ...issued, clientSecret].filter(one => one !== undefined && one.length > 7) as string[],
  )
}

export function expectRefusal(t: Test, page: LightMyRequestResponse, code: ErrorCode, what: string): void {
  t.equal(codeOf(page), code, `${what}: the code`)
  t.equal(page.statusCode, catalogue[code][0], `${what}: the status`)
  t.match(page.headers['content-type'], /^text\/html/, what)
  t.match(page.headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/, what)
  t.notMatch(page.headers, { location: /./ }, what)
  t.notOk(
    [page.headers['set-cookie'] ?? []].flat().some(cookie => cookie.startsWith('__Host-session')),
    `${what}: no session`,
  )
  t.notOk(page.body.includes(marker), `${what}: not in the provider's words`)
}

/** As a provider says it. */
export function logOut(service: TestService, token: string, provider = 'acme') {
  return service.app.inject({
    method: 'POST',
    url: `/v1/federation/${provider}/back-channel-logout`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ logout_token: token }).toString(),
  })
}

export const statusOf = async (visitor: Visitor) => (await visitor.scripts.get('/v1/session')).statusCode

/** Each attack by a person who would be new, between counts; then the same person signs in honestly. */
export async function underAttack(
  t: Test,
  world: FederationWorld,
  attacks: readonly Attack[],
  elsewhere?: Elsewhere & { readonly hits: readonly string[] },
): Promise<void> {
  const { provider, service } = world
  const issued: string[] = []
  for (const [index, attack] of attacks.entries()) {
    const what = `${attack.id}: ${attack.what}`
    const honest = {
      sub: `${index + 1000}`,
      email: `new${index}@example.com`,
      email_verified: true,
      name: marker,
    }
    provider.person = { ...honest, ...attack.person }
    provider.lies = noting(typeof attack.lies === 'function' ? attack.lies(provider) : attack.lies, issued)
    // A changed row is another client: it reads the provider's documents again.
    await world.change({})
    const before = await made(world)
    const person = world.visitor()
    const page = await attacked(person, attack, what)
    if (page) expectRefusal(t, page, attack.code ?? 'federation_failed', what)
    else t.fail(`${what}: it does not come to a page`)
    t.same(await made(world), before, `${what}: nothing is made`)
    t.notOk(person.cookies.has('__Host-session'), what)
    provider.lies = noting({}, issued)
    provider.person = honest
    await world.change({})
    const afterwards = await world.visitor().signIn()
    t.equal(afterwards.statusCode, 303, `${what}: an honest sign-in works afterwards`)
  }
  if (elsewhere) t.same(elsewhere.hits, [], 'nobody came where they must not')
  const log = service.logLines.join('')
  const leaked = [...secretsOf(world, issued)].filter(secret => log.includes(secret))
  t.same(leaked, [], 'no secret is in the log')
  t.same(
    service.logLines.filter(line => !isOneRecord(line) || line.includes('"level":50')),
    [],
    'each line is one record, and nothing was unexpected',
  )
}

async function attacked(person: Visitor, { at }: Attack, what: string) {
  try {
    return at === 'begin' ? await person.open('/v1/federation/acme') : await person.signIn()
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message.slice(0, 200)}`)
  }
}

/** Remembers the tokens that the provider gives out, whatever it says of them. */
function noting(lies: Lies, issued: string[]): Lies {
  const token: Lie = async (answer, heard) => {
    const { access_token: access, id_token: id } = answer.body as Record<string, unknown>
    issued.push(...[access, id].filter(one => typeof one === 'string'))
    return (await lies.token?.(answer, heard)) ?? answer
  }
  return { ...lies, token }
}

function isOneRecord(line: string): boolean {
  if (!line.endsWith('\n') || /[\p{C}\p{Zl}\p{Zp}]/u.test(line.slice(0, -1))) return false
  const { level, msg } = JSON.parse(line) as { level?: number; msg?: string }
  return typeof level === 'number' && msg !== 'forged'
}
