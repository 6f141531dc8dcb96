/** Every route that the app serves, found while it registers them, and a body for each that it would accept. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import type postgres from 'postgres'
import { buildApp } from '../../src/http/server.js'
import { appOrigin, goodPassword, issuer } from '../support/service.js'
import { behind, unservedParts } from '../support/unserved.mjs'
import { enrolmentCode, openReset, recoveryCode, withFactor } from './factors.js'
import { madeUpAnswer, registrationAnswer, stepUpAnswer } from './passkeys.js'
import {
  application,
  factor,
  freshAddress,
  identity,
  invitation,
  link,
  member,
  ownRole,
  type Person,
  person,
  provider,
  serviceKey,
  tenant,
} from './world.js'

export interface Route {
  readonly key: string
  readonly method: string
  readonly url: string
  /** The JSON Schema of its body. */
  readonly body?: { properties?: Record<string, BodyMember>; required?: readonly string[] } | undefined
  readonly changesState: boolean
  /** It takes a form instead of JSON. */
  readonly form: boolean
  /** A hosted page's form: `Origin` alone guards it. */
  readonly page: boolean
  /** It takes a service key, and no cookie. */
  readonly forServices: boolean
  /** Who it says that it is for: a session, a service key, either, or anyone. Undefined: it is in no reference. */
  readonly takes: readonly ('session' | 'serviceKey')[] | undefined
  /** The status of its success. */
  readonly success: number
  /** It says that a proof of long ago is not enough. */
  readonly freshlyProved: boolean
}
export interface BodyMember {
  readonly type?: string
  readonly anyOf?: readonly BodyMember[]
  readonly maxLength?: number
  readonly properties?: Record<string, BodyMember>
}

/** What the reference says of a route. */
interface Documented {
  readonly body?: Route['body']
  readonly consumes?: readonly string[]
  readonly security?: readonly object[]
  readonly response?: Readonly<Record<string, { readonly description?: string }>>
}

/** The routes are listed without being served: nothing behind them is needed. */
export async function listRoutes(): Promise<Route[]> {
  const found = new Map<string, Route>()
  const parts = unservedParts(issuer, async app => {
    app.addHook('onRoute', ({ method, url, schema }) => {
      for (const one of [method].flat()) {
        const key = `${one} ${url}`
        const changesState = !['GET', 'HEAD', 'OPTIONS'].includes(one)
        const documented = (schema ?? {}) as Documented
        const { consumes = [], security = [], body, response = {} } = documented
        const form = consumes.includes('application/x-www-form-urlencoded')
        const forServices = security.length > 0 && security.every(one => !('session' in one))
        const page = form && !forServices
        const takes = documented.security?.flatMap(one => Object.keys(one) as ('session' | 'serviceKey')[])
        const success = Number(Object.keys(response).find(status => status < '400') ?? 200)
        const freshlyProved = /insufficient_user_authentication/.test(response['401']?.description ?? '')
        found.set(key, {
          ...{ key, method: one, url, body, changesState, form, page, forServices },
          ...{ takes, success, freshlyProved },
        })
      }
    })
  })
  const app = await buildApp({ ...parts, health: behind })
  await app.ready()
  await app.close()
  return [...found.values()]
}

/** What state-changing routes take, so that a refusal is never about the body. One that needs no body has no line. */
export const acceptable: Record<string, (sql: postgres.Sql, caller: Person) => Promise<object | undefined>> =
  {
    'POST /v1/session': async (_sql, { email }) => ({ email, password: goodPassword }),
    'POST /v1/token': async () => ({}),
    'POST /v1/sign-up': async () => ({ email: freshAddress() }),
    'POST /v1/sign-up/verify': async sql => ({
      token: await link(sql, 'sign-up', freshAddress()),
      password: goodPassword,
    }),
    'POST /v1/password/forgot': async (_sql, { email }) => ({ email }),
    'POST /v1/password/reset': async (sql, { email }) => ({
      token: await link(sql, 'password-reset', email),
      password: goodPassword,
    }),
    'PUT /v1/password': async () => ({
      current_password: goodPassword,
      new_password: 'quite other words now',
    }),
    'PUT /v1/session/tenant': async (sql, { id }) => {
      const acme = await tenant(sql)
      await member(sql, id, acme, 'r1')
      return { tenant: acme }
    },
    'POST /v1/session/step-up': async () => ({ password: goodPassword }),
    'POST /v1/session/second-factor': async (sql, { id }) => ({ recovery_code: await recoveryCode(sql, id) }),
    'POST /v1/passkey/sign-in': async () => ({ response: madeUpAnswer() }),
    'POST /v1/session/second-factor/passkey': async () => ({ response: madeUpAnswer() }),
    'POST /v1/session/step-up/passkey': async (sql, me) => ({ response: await stepUpAnswer(sql, me) }),
    'POST /v1/passkeys/options': async () => ({}),
    'POST /v1/passkeys': async (sql, me) => ({ response: await registrationAnswer(sql, me) }),
    'PATCH /v1/factors/:factor': async () => ({ name: 'My phone' }),
    'POST /v1/totp': async () => ({ name: 'My phone' }),
    'POST /v1/totp/confirm': async (sql, me) => ({ code: await enrolmentCode(sql, me) }),
    'POST /v1/recovery-codes': async (sql, me) => {
      await withFactor(sql, me, { aal2: true })
      return undefined
    },
    'DELETE /v1/factor-reset': async (sql, { id }) => {
      await openReset(sql, id)
      return undefined
    },
    'POST /v1/admin/users': async () => ({ email: freshAddress(), name: 'Ada' }),
    'PATCH /v1/admin/users/:user': async () => ({ name: 'Ada', state: 'active', platform_roles: [] }),
    'POST /v1/admin/tenants': async () => ({ name: 'Acme' }),
    'PATCH /v1/admin/tenants/:tenant': async () => ({ name: 'Acme' }),
    'POST /v1/admin/tenants/:tenant/roles': async () => ({
      name: 'auditor',
      permissions: ['mintmark:audit:read'],
    }),
    'PUT /v1/admin/tenants/:tenant/roles/:role': async () => ({
      name: 'auditor',
      permissions: ['mintmark:audit:read'],
    }),
    'PUT /v1/admin/tenants/:tenant/members/:user': async () => ({ roles: ['member'], state: 'active' }),
    'POST /v1/admin/tenants/:tenant/invitations': async () => ({ email: freshAddress(), roles: ['member'] }),
    'POST /v1/invitations/accept': async (sql, { email }) => ({ token: await invitation(sql, email) }),
    'POST /v1/invitations/sign-up': async sql => ({
      token: await invitation(sql, freshAddress()),
      password: goodPassword,
    }),
    'POST /v1/admin/applications': async () => ({
      client_id: `app-${randomUUID()}`,
      name: 'An application',
      audiences: ['api'],
    }),
    'PATCH /v1/admin/applications/:client': async () => ({ name: 'An application' }),
    'POST /v1/admin/providers': async () => (await import('./declared-provider.js')).declaredProvider(),
    'PATCH /v1/admin/providers/:provider': async () => ({ name: 'Silent' }),
    'POST /v1/admin/service-keys': async () => ({ name: 'A service', scopes: ['users:read'] }),
    'POST /v1/admin/signing-keys/rotate': async () => ({}),
    'POST /v1/admin/signing-keys/compromise': async () => ({ all: true, dry_run: true }),
    'POST /v1/admin/signing-keys/reseal': async () => ({}),
    'POST /v1/feed/fork': async () => ({ message: 'none' }),
    'POST /v1/introspect': async () => ({ token: 'none' }),
    'POST /sign-in': async (_sql, { email }) => ({ email, password: goodPassword }),
    'POST /sign-out': async () => ({}),
    'POST /step-up': async () => ({ password: goodPassword }),
    'POST /sign-up': async () => ({ email: freshAddress() }),
    'POST /sign-up/verify': async sql => ({
      token: await link(sql, 'sign-up', freshAddress()),
      password: goodPassword,
      name: '',
    }),
    'POST /password/forgot': async (_sql, { email }) => ({ email }),
    'POST /password/reset': async (sql, { email }) => ({
      token: await link(sql, 'password-reset', email),
      password: goodPassword,
    }),
    'POST /password': async () => ({
      current_password: goodPassword,
      new_password: 'quite other words now',
    }),
    'POST /invitations/accept': async (sql, { email }) => ({ token: await invitation(sql, email) }),
    'POST /invitations/sign-up': async sql => ({
      token: await invitation(sql, freshAddress()),
      password: goodPassword,
      name: 'Ada',
    }),
    'POST /sign-up/verify/address': async sql => ({ token: await link(sql, 'sign-up', freshAddress()) }),
    'POST /password/reset/address': async (sql, { email }) => ({
      token: await link(sql, 'password-reset', email),
    }),
    'POST /invitations/accept/address': async sql => ({ token: await invitation(sql, freshAddress()) }),
    'POST /tenant': async (sql, { id }) => {
      const acme = await tenant(sql)
      await member(sql, id, acme, 'r1')
      return { tenant: acme }
    },
    'POST /v1/federation/:provider/back-channel-logout': async () => ({ logout_token: 'none' }),
    'POST /v1/federation/:provider/callback': async () => ({}),
    'POST /sign-in-methods/link': async () => ({ provider: 'nobody' }),
    'POST /sign-in-methods/unlink': async (sql, { id }) => ({ identity: await identity(sql, id) }),
    'POST /step-up/provider': async () => ({ provider: 'nobody' }),
    'POST /second-step': async (sql, { id }) => ({ recovery_code: await recoveryCode(sql, id) }),
    'POST /second-step/cancel': async () => ({}),
    'POST /second-factors/app': async () => ({}),
    'POST /second-factors/app/confirm': async (sql, me) => ({ code: await enrolmentCode(sql, me) }),
    'POST /second-factors/rename': async (sql, me) => ({
      factor: await withFactor(sql, me, { aal2: true }),
      name: 'My phone',
    }),
    'POST /second-factors/remove': async (sql, me) => ({ factor: await withFactor(sql, me, { aal2: true }) }),
    'POST /second-factors/recovery-codes': async (sql, me) => {
      await withFactor(sql, me, { aal2: true })
      return {}
    },
    'POST /second-factors/stop-removal': async (sql, { id }) => {
      await openReset(sql, id)
      return {}
    },
    'POST /devices/end': async (_sql, { session }) => ({ session }),
    'POST /devices/end-others': async () => ({}),
  }

/** An address of the route at which there is something: the caller's own session, else things of others. */
export async function pathFor(sql: postgres.Sql, { url }: Route, me: Person): Promise<string> {
  const { id, session } = me
  if (url.includes(':factor')) return url.replace(':factor', await withFactor(sql, me, { aal2: true }))
  const own = url.startsWith('/v1/identities/') ? await identity(sql, id) : session
  const administered = url.startsWith('/v1/admin/providers/') && (await provider(sql))
  const path =
    url === '*' ? '/v1/token' : url.replace(':id', own).replace(':provider', administered || 'nobody')
  if (!path.includes(':')) return path
  const other = await person(sql)
  // The link is for somebody who has no password yet.
  if (url.endsWith('/link')) await sql`delete from passwords where user_id = ${other.id}`
  // A reset is for somebody who has a second factor.
  if (url.endsWith('/factors/reset')) await factor(sql, other.id)
  const acme = path.includes(':tenant') ? await tenant(sql) : ''
  if (acme !== '') await member(sql, other.id, acme, ownRole)
  const invited = path.includes(':invitation') ? await openInvitation(sql, acme) : ''
  const client = `app-${other.id}`
  if (path.includes(':client')) await application(sql, { clientId: client })
  const key = path.includes(':key')
    ? (await serviceKey(sql, { scopes: ['users:read'], audiences: [] })).id
    : ''
  return path
    .replace(':tenant', acme)
    .replace(':user', other.id)
    .replace(':role', ownRole)
    .replace(':invitation', invited)
    .replace(':session', other.session)
    .replace(':client', client)
    .replace(':key', key)
    .replace(':position', '0.0')
}

/** The public code of a refusal, in a problem document or on a page. */
export function codeOf(answer: LightMyRequestResponse): string | undefined {
  if (!String(answer.headers['content-type']).startsWith('text/html')) return answer.json().code
  return /data-code="([a-z_]+)"/.exec(answer.body)?.[1]
}

/** A page that needs somebody who is signed in has none: it leads to the sign-in page. */
export function asksToSignIn({ headers }: LightMyRequestResponse): boolean {
  return /^\/sign-in(\?(return_to|expired)=|$)/.test(String(headers.location))
}

/** A body as the route takes it. */
export function encoded({ form }: Route, body: object | undefined) {
  if (!body) return { headers: {} }
  if (!form) return { payload: body, headers: {} }
  const payload = new URLSearchParams(body as Record<string, string>).toString()
  return { payload, headers: { 'content-type': 'application/x-www-form-urlencoded' } }
}

/** The id of an invitation into this tenant. */
export async function openInvitation(sql: postgres.Sql, here: string): Promise<string> {
  const [row] = await sql`
    insert into invitations (token_hash, tenant_id, email, canonical_email, role_ids, expires_at)
    values (${randomBytes(32)}, ${here}, 'x@example.com', ${freshAddress()}, '{}', now() + interval '1 day')
    returning id`
  return row?.id
}

/** Headers as a browser sends them from this origin; `null` is no browser. */
export function headersFrom(
  origin: string | null,
  cookie?: string,
  pending?: string,
): Record<string, string> {
  const own = origin === issuer
  const sameSite = own || origin === appOrigin || /^http:\/\/localhost:/.test(origin ?? '')
  return {
    'x-mintmark': '1',
    ...(cookie !== undefined && { cookie: `__Host-session=${cookie}` }),
    ...(pending !== undefined && { cookie: `__Host-pending=${pending}` }),
    ...(origin !== null && {
      origin,
      'sec-fetch-site': own ? 'same-origin' : sameSite ? 'same-site' : 'cross-site',
      'sec-fetch-mode': 'cors',
    }),
  }
}
