/** Who may call what: every route by every kind of caller, and what each must be answered. The data of H3. */
import type postgres from 'postgres'
import { newSecret } from '../../src/session/credential.js'
import { appOrigin, issuer } from '../support/service.js'
import { type Person, person } from './world.js'

export const accountOrigin = 'http://localhost:7000'
export const foreignOrigin = 'https://evil.example'

export interface Caller {
  readonly origin: string | null
  /** Brings the person into the state that the caller's name says, and answers the cookie that is sent. */
  readonly prepare: (sql: postgres.Sql, me: Person) => Promise<string | undefined>
}

const live = async (_sql: postgres.Sql, me: Person) => me.cookie

export const callers = {
  anonymous: { origin: issuer, prepare: async () => undefined },
  'signed in': { origin: issuer, prepare: live },
  'superseded secret': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update sessions set previous_secret_hash = secret_hash, secret_hash = ${newSecret().hash()}
        where id = ${me.session}`
      return me.cookie
    },
  },
  'forged secret': { origin: issuer, prepare: async (_sql, me) => `${me.session}.${newSecret().reveal()}` },
  'stale proof': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update sessions set auth_time = now() - interval '16 minutes' where id = ${me.session}`
      return me.cookie
    },
  },
  'secret of another': {
    origin: issuer,
    prepare: async (sql, me) => `${me.session}.${(await person(sql)).secret}`,
  },
  'ended session': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${me.session}`
      return me.cookie
    },
  },
  'idle session': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update sessions set last_seen_at = now() - interval '8 days' where id = ${me.session}`
      return me.cookie
    },
  },
  'expired session': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update sessions set ends_at = now() where id = ${me.session}`
      return me.cookie
    },
  },
  'session of another epoch': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update users set epoch = epoch + 1 where id = ${me.id}`
      return me.cookie
    },
  },
  'disabled user': {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update users set state = 'disabled' where id = ${me.id}`
      return me.cookie
    },
  },
  'foreign origin': { origin: foreignOrigin, prepare: live },
  'null origin': { origin: 'null', prepare: live },
  'registered application': { origin: appOrigin, prepare: live },
  'account application': { origin: accountOrigin, prepare: live },
  'no browser': { origin: null, prepare: live },
} as const satisfies Record<string, Caller>

export type CallerName = keyof typeof callers
export const callerNames = Object.keys(callers) as CallerName[]

/** A status, or a status and the code of the problem. */
type Expected = number | `${number} ${string}`
type Row = Record<CallerName, Expected>

const everyone = (expected: Expected): Row =>
  Object.fromEntries(callerNames.map(name => [name, expected])) as Row

const notTheirs: Expected = '403 wrong_origin'
const strangers = { 'foreign origin': notTheirs, 'null origin': notTheirs } as const

/** Public documents, pages and probes: the caller is no matter. */
const open = everyone(200)
/** Needs a live session; a GET is answered to any origin, but only registered ones may read it. */
const signedInOnly = (success: Expected): Row => ({
  ...everyone('401 unauthenticated'),
  'signed in': success,
  'stale proof': success,
  'superseded secret': '401 session_superseded',
  'registered application': success,
  'account application': success,
  'foreign origin': success,
  'null origin': success,
  'no browser': success,
})
/** Needs a proof of the last minutes on top. */
const freshlyProved = (row: Row): Row => ({
  ...row,
  'stale proof': '401 insufficient_user_authentication',
})
/** For the issuer's pages and applications that are trusted with the account. */
const accountOnly = (row: Row): Row => ({ ...row, ...strangers, 'registered application': notTheirs })

export const expectations: Readonly<Record<string, Row>> = {
  'GET /healthz': open,
  'GET /readyz': open,
  'GET /.well-known/jwks.json': open,
  'GET /.well-known/oauth-authorization-server': open,
  'GET /.well-known/openid-configuration': open,
  'GET /sign-up/verify': open,
  'GET /password/reset': open,
  'GET /assets/mail-link.js': open,
  'GET /assets/style.css': open,
  'OPTIONS *': {
    ...everyone(204),
    ...strangers,
    'no browser': notTheirs,
  },
  'GET /v1/session': signedInOnly(200),
  'DELETE /v1/session': { ...everyone(204), ...strangers },
  // Without an Origin the application must be named.
  'POST /v1/token': { ...signedInOnly(200), ...strangers, 'no browser': '400 unknown_client' },
  'POST /v1/session': accountOnly({ ...everyone(201), 'disabled user': '401 invalid_credentials' }),
  'POST /v1/sign-up': accountOnly(everyone(202)),
  'POST /v1/sign-up/verify': accountOnly(everyone(201)),
  'POST /v1/password/forgot': accountOnly(everyone(202)),
  'POST /v1/password/reset': accountOnly({ ...everyone(204), 'disabled user': '400 link_invalid' }),
  'PUT /v1/password': accountOnly(signedInOnly(204)),
  'PUT /v1/session/tenant': { ...signedInOnly(204), ...strangers },
  'POST /v1/session/step-up': accountOnly(signedInOnly(200)),
  'GET /v1/sessions': signedInOnly(200),
  'DELETE /v1/sessions/:id': accountOnly(freshlyProved(signedInOnly(204))),
  'DELETE /v1/sessions': accountOnly(freshlyProved(signedInOnly(200))),
}

const openToApplications = new Set([
  'GET /v1/session',
  'DELETE /v1/session',
  'PUT /v1/session/tenant',
  'POST /v1/token',
  'OPTIONS *',
])

/** Which origins may read the answer, by route: CORS with credentials for exactly these. */
export function readableBy(route: string): readonly string[] {
  if (openToApplications.has(route)) return [appOrigin, accountOrigin]
  return route.includes(' /v1/') ? [accountOrigin] : []
}
