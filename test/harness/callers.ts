/** Who may call what: every route by every kind of caller, and what each must be answered. The data of H3. */
import type postgres from 'postgres'
import { platformPermissions } from '../../src/core/authority.js'
import { newSecret } from '../../src/core/secret.js'
import { appOrigin, issuer } from '../support/service.js'
import { pendingSignIn, withFactor } from './factors.js'
import type { Route } from './routes.js'
import { type Person, person, serviceKey } from './world.js'

export const accountOrigin = 'http://localhost:7000'
export const foreignOrigin = 'https://evil.example'

export interface Caller {
  readonly origin: string | null
  /** Brings the person into the state that the caller's name says, and answers the cookie that is sent. */
  readonly prepare: (sql: postgres.Sql, me: Person) => Promise<string | undefined>
  /** The service key that is sent. */
  readonly key?: (sql: postgres.Sql) => Promise<string>
  /** The cookie of a pending sign-in that is sent. */
  readonly pending?: (sql: postgres.Sql, me: Person) => Promise<string>
}

const noCookie = async () => undefined
const administering = platformPermissions.filter(scope => scope !== 'introspect')
const live = async (_sql: postgres.Sql, me: Person) => me.cookie

export const callers = {
  anonymous: { origin: issuer, prepare: async () => undefined },
  'second step missing': {
    origin: issuer,
    prepare: noCookie,
    async pending(sql, me) {
      await withFactor(sql, me)
      return pendingSignIn(sql, me.id)
    },
  },
  'signed in': { origin: issuer, prepare: live },
  administrator: {
    origin: issuer,
    prepare: async (sql, me) => {
      await sql`update users set platform_roles = '{administrator}' where id = ${me.id}`
      return me.cookie
    },
  },
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
  'administering key': {
    origin: null,
    prepare: noCookie,
    key: async sql => (await serviceKey(sql, { scopes: administering })).key,
  },
  'introspecting key': {
    origin: null,
    prepare: noCookie,
    key: async sql => (await serviceKey(sql, { scopes: ['introspect'] })).key,
  },
  'revoked key': {
    origin: null,
    prepare: noCookie,
    key: async sql => {
      const { id, key } = await serviceKey(sql)
      await sql`update service_keys set revoked_at = now() where id = ${id}`
      return key
    },
  },
  'key in a page': { origin: issuer, prepare: noCookie, key: async sql => (await serviceKey(sql)).key },
} as const satisfies Record<string, Caller>

export type CallerName = keyof typeof callers
export const callerNames = Object.keys(callers) as CallerName[]

/** A status, or a status and the code of the problem, or the address that a redirect names. */
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
  administrator: success,
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

/** A page for who is signed in; everybody else signs in first. */
function signedInPage(success: Expected): Row {
  return { ...signedInOnly(success), ...toSignIn('303 /sign-in') }
}
/** What those get who are not signed in. */
function toSignIn(answer: Expected): Partial<Row> {
  const row = signedInOnly(200)
  return Object.fromEntries(callerNames.filter(name => row[name] !== 200).map(name => [name, answer]))
}
function freshlyProvedPage(row: Row, page = '/devices'): Row {
  return { ...row, 'stale proof': `303 /step-up?return_to=${encodeURIComponent(page)}` as Expected }
}
/** A form of a hosted page: only the issuer's own pages send it, and who is no browser does not. */
function formOf(row: Row): Row {
  const others = callerNames.filter(name => callers[name].origin !== issuer)
  return { ...row, ...Object.fromEntries(others.map(name => [name, notTheirs])) }
}

const factorForm = (success: Expected) => formOf(freshlyProvedPage(signedInPage(success), '/second-factors'))

/** For a freshly proved session of somebody who holds what it needs, from the issuer's or an admin application's origin. */
const adminOnly = (success: number): Row => ({
  ...signedInOnly('403 forbidden'),
  'stale proof': '401 insufficient_user_authentication',
  administrator: success,
  'administering key': success,
  'introspecting key': '403 forbidden',
  'revoked key': '401 invalid_service_key',
  'key in a page': notTheirs,
})
/** A page of another origin cannot even send a change. */
const adminChange = (success: number): Row => ({
  ...adminOnly(success),
  ...strangers,
  'registered application': notTheirs,
  'account application': notTheirs,
})

/** By a key alone. */
const forReaders: Row = {
  ...everyone('401 invalid_service_key'),
  'introspecting key': '403 forbidden',
  'key in a page': notTheirs,
}
const followed = (success: Expected) => ({ 'administering key': success })

/** Where the contexts that a route is registered in do not say it all: pages, and what answers by who is meant. */
export const exceptions: Readonly<Record<string, Row>> = {
  'GET /healthz': open,
  'GET /readyz': open,
  'GET /sign-up': open,
  'GET /sign-up/verify': open,
  'GET /password/forgot': open,
  'GET /password/reset': open,
  'GET /sign-out': open,
  'GET /sign-in': { ...signedInPage('303 /'), ...toSignIn(200) },
  'GET /': signedInPage(200),
  'GET /devices': { ...signedInPage(200), ...toSignIn('303 /sign-in?return_to=%2Fdevices') },
  'GET /password': { ...signedInPage(200), ...toSignIn('303 /sign-in?return_to=%2Fpassword') },
  'GET /step-up': signedInPage(200),
  'POST /sign-in': formOf({
    ...everyone('303 /'),
    'second step missing': '303 /second-step',
    'disabled user': '401 invalid_credentials',
  }),
  'POST /sign-out': formOf(everyone('303 /sign-in?signed_out=1')),
  'POST /step-up': formOf(signedInPage('303 /')),
  'POST /sign-up': formOf(everyone(200)),
  'POST /sign-up/verify': formOf(everyone('303 /?done=welcome')),
  'POST /password/forgot': formOf(everyone(200)),
  'POST /password/reset': formOf({ ...everyone(200), 'disabled user': '400 link_invalid' }),
  'POST /password': formOf({
    ...signedInPage('303 /?done=password'),
    ...toSignIn('303 /sign-in?return_to=%2Fpassword'),
  }),
  'POST /tenant': formOf(signedInPage('303 /')),
  'POST /devices/end': formOf(freshlyProvedPage(signedInPage('303 /sign-in?signed_out=1'))),
  'POST /devices/end-others': formOf(freshlyProvedPage(signedInPage('303 /devices?done=devices'))),
  // There is no such provider, and nobody has begun anything.
  'GET /v1/federation/:provider': everyone('404 not_found'),
  'GET /v1/federation/:provider/callback': everyone('400 federation_failed'),
  'POST /v1/federation/:provider/callback': everyone('400 federation_failed'),
  'POST /v1/federation/:provider/back-channel-logout': everyone('404 not_found'),
  'GET /sign-in-methods': { ...signedInPage(200), ...toSignIn('303 /sign-in?return_to=%2Fsign-in-methods') },
  'POST /sign-in-methods/link': formOf(freshlyProvedPage(signedInPage('404 not_found'), '/sign-in-methods')),
  'POST /sign-in-methods/unlink': formOf(
    freshlyProvedPage(signedInPage('303 /sign-in-methods?done=unlinked'), '/sign-in-methods'),
  ),
  'POST /step-up/provider': formOf(signedInPage('404 not_found')),
  'GET /second-step': { ...everyone('303 /sign-in'), 'second step missing': 200 },
  'POST /second-step': formOf({
    ...everyone('303 /sign-in?expired=1'),
    'second step missing': '303 /second-factors?done=recovery',
  }),
  'POST /second-step/cancel': formOf(everyone('303 /sign-in?cancelled=1')),
  'GET /second-factors': { ...signedInPage(200), ...toSignIn('303 /sign-in?return_to=%2Fsecond-factors') },
  'GET /second-factors/app': freshlyProvedPage(
    { ...signedInPage(200), ...toSignIn('303 /sign-in?return_to=%2Fsecond-factors%2Fapp') },
    '/second-factors/app',
  ),
  'POST /second-factors/app': formOf(
    freshlyProvedPage(
      {
        ...signedInPage('303 /second-factors/app'),
        ...toSignIn('303 /sign-in?return_to=%2Fsecond-factors%2Fapp'),
      },
      '/second-factors/app',
    ),
  ),
  'POST /second-factors/app/confirm': formOf(freshlyProvedPage(signedInPage(200), '/second-factors/app')),
  'POST /second-factors/rename': factorForm('303 /second-factors?done=renamed'),
  'POST /second-factors/remove': factorForm('303 /second-factors?done=removed'),
  'POST /second-factors/recovery-codes': factorForm(200),
  'POST /second-factors/stop-removal': formOf(signedInPage('303 /second-factors?done=stopped')),
  'POST /invitations/accept': formOf({
    ...signedInPage('303 /?done=joined'),
    ...toSignIn('303 /sign-in?return_to=%2Finvitations%2Faccept'),
  }),
  'POST /invitations/sign-up': formOf(everyone('303 /?done=joined')),
  'POST /sign-up/verify/address': formOf(everyone(200)),
  'POST /password/reset/address': formOf(everyone(200)),
  'POST /invitations/accept/address': formOf(everyone(200)),
  'GET /assets/page.js': open,
  'GET /assets/icon.svg': open,
  'GET /assets/style.css': open,
  'OPTIONS *': {
    ...everyone(204),
    ...strangers,
    'no browser': notTheirs,
    'administering key': notTheirs,
    'introspecting key': notTheirs,
    'revoked key': notTheirs,
  },
  'POST /v1/introspect': {
    ...everyone('401 invalid_service_key'),
    'administering key': '403 forbidden',
    'introspecting key': 200,
    'key in a page': notTheirs,
  },
  'GET /v1/feed': { ...forReaders, ...followed(200) },
  'POST /v1/feed/fork': { ...forReaders, ...followed(204) },
  'DELETE /v1/session': { ...everyone(204), ...strangers },
  // Without an Origin the application must be named.
  'POST /v1/token': { ...signedInOnly(200), ...strangers, 'no browser': '400 unknown_client' },
  'POST /v1/session': accountOnly({
    ...everyone(201),
    'second step missing': 202,
    'disabled user': '401 invalid_credentials',
  }),
  'POST /v1/session/second-factor': accountOnly({
    ...everyone('401 sign_in_expired'),
    'second step missing': 201,
  }),
  // A cookie that nobody here sends goes with the answer.
  'POST /v1/passkey/sign-in': accountOnly(everyone('403 passkey_failed')),
  'POST /v1/session/second-factor/passkey/options': accountOnly({
    ...everyone('401 sign_in_expired'),
    'second step missing': 200,
  }),
  'POST /v1/session/second-factor/passkey': accountOnly({
    ...everyone('401 sign_in_expired'),
    'second step missing': '403 passkey_failed',
  }),
  'POST /v1/password/reset': accountOnly({ ...everyone(204), 'disabled user': '400 link_invalid' }),
  'GET /invitations/accept': open,
}

/** What each kind of caller is answered: as the route's context and its own reference say, but for the exceptions. */
export function expected(route: Route): Row | undefined {
  const key = route.key.replace(/^HEAD /, 'GET ')
  if (exceptions[key]) return exceptions[key]
  const { takes, success, changesState, freshlyProved: fresh } = route
  if (takes === undefined) return undefined
  if (takes.includes('serviceKey')) return changesState ? adminChange(success) : adminOnly(success)
  const row = takes.includes('session') ? signedInOnly(success) : everyone(success)
  const proved = fresh ? freshlyProved(row) : row
  if (!changesState) return proved
  return openToApplications.has(key) ? { ...proved, ...strangers } : accountOnly(proved)
}

const openToApplications = new Set([
  'GET /v1/federation',
  'GET /v1/session',
  'DELETE /v1/session',
  'PUT /v1/session/tenant',
  'POST /v1/token',
  'OPTIONS *',
])

/** Which origins may read the answer, by route: CORS with credentials for exactly these. */
export function readableBy(route: string): readonly string[] {
  if (openToApplications.has(route)) return [appOrigin, accountOrigin]
  // Navigations, and what a provider sends.
  if (route.includes(' /v1/federation/:provider')) return []
  if (/ \/v1\/(admin\/|introspect$|feed)/.test(route)) return []
  return route.includes(' /v1/') ? [accountOrigin] : []
}
