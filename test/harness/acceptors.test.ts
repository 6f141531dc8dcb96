/** H2: every kind of secret or token at every place that redeems one: only the diagonal works. */
import { createHash, randomUUID } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import tap, { test } from 'tap'
import { callbackFrom, federationWorld } from '../federation/world.js'
import { freshNetworkAddress } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { enrol, enrolled } from '../support/enrolled.js'
import { goodPassword, issuer } from '../support/service.js'
import { codeAt } from '../support/totp.js'
import { enrolmentCode, openReset, pendingSignIn, recoveryCode, withFactor } from './factors.js'
import {
  answerTo,
  creationFor,
  registrationAnswer,
  secondStepAnswer,
  signInAnswer,
  stepUpAnswer,
} from './passkeys.js'
import { asksToSignIn, headersFrom, listRoutes, pathFor } from './routes.js'
import { secretColumns, singleUsePurposes } from './schema.js'
import {
  application,
  freshAddress,
  goodPhc,
  identity,
  invitation,
  link,
  person,
  serviceKey,
  session,
} from './world.js'

const database = await testDatabase(tap)
const { sql } = database
await application(sql, { clientId: 'cli' })
const federation = await federationWorld(tap, {}, 'openid', { database })
const { app } = federation.service
const newPassword = 'quite other words now'

const sha256 = (secret: string) => createHash('sha256').update(Buffer.from(secret, 'base64url')).digest()

async function feedMessage(): Promise<string> {
  const { key } = await serviceKey(sql, { scopes: ['feed'] })
  return (await app.inject({ url: '/v1/feed', headers: { authorization: `Bearer ${key}` } })).body.trim()
}

interface Kind {
  readonly kind: string
  /** Which stored column (and purpose) it proves; undefined for what is stored nowhere. */
  readonly proves?: string
  /** The acceptors that take it. */
  readonly takenBy: readonly string[]
  readonly make: () => Promise<string>
}

const cookieRoutes = [
  'cookie at GET /v1/session',
  'cookie at GET /v1/sessions',
  'cookie at DELETE /v1/sessions',
  'cookie at PUT /v1/session/tenant',
  'cookie at POST /v1/token',
  'cookie at GET /v1/factors',
  'cookie at POST /v1/totp',
  'cookie at POST /v1/totp/confirm',
  'cookie at POST /v1/recovery-codes',
  'cookie at PATCH /v1/factors/:factor',
  'cookie at DELETE /v1/factors/:factor',
  'cookie at DELETE /v1/factor-reset',
  'cookie at POST /v1/invitations/accept',
  'cookie at GET /',
  'cookie at GET /devices',
  'cookie at GET /password',
  'cookie at GET /step-up',
  'cookie at GET /sign-in-methods',
  'cookie at GET /second-factors',
  'cookie at GET /second-factors/app',
  'cookie at POST /second-factors/app',
  'cookie at POST /second-factors/app/confirm',
  'cookie at POST /second-factors/rename',
  'cookie at POST /second-factors/remove',
  'cookie at POST /second-factors/recovery-codes',
  'cookie at POST /second-factors/stop-removal',
  'cookie at GET /v1/identities',
  'cookie at POST /sign-in-methods/link',
  'cookie at POST /sign-in-methods/unlink',
  'cookie at POST /step-up/provider',
  'cookie at DELETE /v1/identities/:id',
  'cookie at POST /tenant',
  'cookie at POST /devices/end-others',
  'cookie at POST /invitations/accept',
]
/** These renew or end what they take, or make a factor, which the others then ask for. */
const cookieEnds = [
  'cookie at POST /v1/session/step-up/passkey/options',
  'cookie at POST /v1/session/step-up/passkey',
  'cookie at POST /v1/passkeys/options',
  'cookie at POST /v1/passkeys',
  'cookie at PUT /v1/password',
  'cookie at POST /v1/session/step-up',
  'cookie at DELETE /v1/sessions/:id',
  'cookie at POST /password',
  'cookie at POST /step-up',
  'cookie at POST /devices/end',
]
const none: readonly string[] = []

async function accessToken(): Promise<string> {
  const { cookie } = await person(sql)
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/token',
    headers: headersFrom(issuer, cookie),
    payload: {},
  })
  return answer.json().access_token
}
async function resetPass(): Promise<string> {
  const password = goodPassword
  const answer = await send('POST', '/v1/password/reset', {}, { token: await resetLink(), password })
  return answer.cookies.find(({ name }) => name === '__Host-reset')?.value ?? ''
}
const signUpLink = () => link(sql, 'sign-up', freshAddress())
const resetLink = async () => link(sql, 'password-reset', (await person(sql)).email)

const kinds: readonly Kind[] = [
  {
    kind: 'sign-up token',
    proves: 'mail_links.token_hash sign-up',
    takenBy: [
      'sign-up/verify token',
      'token at POST /sign-up/verify',
      'token at POST /sign-up/verify/address',
    ],
    make: signUpLink,
  },
  {
    kind: 'reset token',
    proves: 'mail_links.token_hash password-reset',
    takenBy: [
      'password/reset token',
      'token at POST /password/reset',
      'token at POST /password/reset/address',
    ],
    make: resetLink,
  },
  {
    kind: 'invitation',
    proves: 'invitations.token_hash',
    takenBy: [
      'invitations/sign-up token',
      'token at POST /invitations/sign-up',
      'token at POST /invitations/accept/address',
    ],
    make: () => invitation(sql, freshAddress()),
  },
  {
    kind: 'session cookie',
    proves: 'sessions.secret_hash',
    takenBy: [...cookieRoutes, ...cookieEnds],
    make: async () => (await person(sql)).cookie,
  },
  {
    kind: 'state of a flow',
    proves: 'federation_flows.state_hash',
    takenBy: ['state at GET /v1/federation/:provider/callback'],
    make: async () => (await flow()).state,
  },
  {
    kind: 'flow cookie',
    proves: 'federation_flows.browser_hash',
    takenBy: ['flow cookie at GET /v1/federation/:provider/callback'],
    make: async () => (await flow()).cookie,
  },
  {
    kind: 'logout token',
    takenBy: ['logout_token at POST /v1/federation/:provider/back-channel-logout'],
    make: async () => {
      const begun = await flow()
      await comeBack(begun.callback, begun.cookie)
      return federation.provider.logoutToken()
    },
  },
  {
    kind: 'cookie of a pending sign-in',
    proves: 'pending_sign_ins.secret_hash',
    takenBy: [
      'pending at POST /v1/session/second-factor',
      'pending at POST /second-step',
      'pending at POST /v1/session/second-factor/passkey/options',
      'pending at POST /v1/session/second-factor/passkey',
    ],
    make: async () => pendingSignIn(sql, (await owing()).id),
  },
  {
    kind: 'recovery code',
    proves: 'recovery_codes.code_hash',
    takenBy: [
      'recovery_code at POST /v1/session/second-factor',
      'recovery_code at POST /v1/session/step-up',
      'recovery_code at POST /second-step',
      'recovery_code at POST /step-up',
    ],
    make: async () => recoveryCode(sql, (await owing()).id),
  },
  {
    kind: 'challenge of a sign-in by passkey',
    proves: 'passkey_challenges.challenge_hash',
    takenBy: ['challenge at POST /v1/passkey/sign-in'],
    make: async () => (await byPasskey()).challenge,
  },
  {
    kind: 'cookie of a browser that signs in by passkey',
    proves: 'passkey_challenges.holder_hash',
    takenBy: ['browser at POST /v1/passkey/sign-in'],
    make: async () => (await byPasskey()).cookie,
  },
  { kind: 'pass of a reset', proves: 'passwords.reset_pass_hash', takenBy: none, make: resetPass },
  {
    kind: 'key history',
    takenBy: none,
    make: async () => (await app.inject('/.well-known/historical-keys')).body,
  },
  { kind: 'feed message', takenBy: none, make: feedMessage },
  { kind: 'session id', takenBy: none, make: async () => (await person(sql)).session },
  { kind: 'session secret', takenBy: none, make: async () => (await person(sql)).secret },
  { kind: 'access token', takenBy: ['token at POST /v1/introspect'], make: accessToken },
  {
    kind: 'service key',
    proves: 'service_keys.secret_hash',
    takenBy: [
      'bearer at GET /v1/admin/users',
      'bearer at POST /v1/introspect',
      'bearer at GET /v1/feed',
      'bearer at POST /v1/feed/fork',
    ],
    make: async () => (await serviceKey(sql)).key,
  },
  { kind: 'service key id', takenBy: none, make: async () => (await serviceKey(sql)).id },
  { kind: 'service key secret', takenBy: none, make: async () => (await serviceKey(sql)).key.slice(-43) },
  { kind: 'password hash', takenBy: none, make: goodPhc },
  { kind: 'user id', takenBy: none, make: async () => (await person(sql)).id },
  ...(['hex', 'base64url'] as const).flatMap((encoding): Kind[] => [
    {
      kind: `hash of a sign-up token, ${encoding}`,
      takenBy: none,
      make: async () => sha256(await signUpLink()).toString(encoding),
    },
    {
      kind: `hash of a reset token, ${encoding}`,
      takenBy: none,
      make: async () => sha256(await resetLink()).toString(encoding),
    },
    {
      kind: `id and hash of a service key, ${encoding}`,
      takenBy: none,
      make: async () => {
        const { key } = await serviceKey(sql)
        return `${key.slice(0, -43)}${sha256(key.slice(-43)).toString(encoding)}`
      },
    },
    {
      kind: `id and hash of a session, ${encoding}`,
      takenBy: none,
      make: async () => {
        const { session, secret } = await person(sql)
        return `${session}.${sha256(secret).toString(encoding)}`
      },
    },
  ]),
]

interface Acceptor {
  readonly at: string
  /** The route, as the generated list names it. */
  readonly route: string
  readonly present: (value: string) => Promise<LightMyRequestResponse>
  /** How it refuses, where not with a status. */
  readonly refusal?: string
}

const send = (method: string, url: string, headers: Record<string, string>, payload?: object) =>
  app.inject({
    method: method as 'POST',
    url,
    remoteAddress: freshNetworkAddress(),
    headers: { ...headersFrom(issuer), ...headers },
    ...(payload && { payload }),
  })
const showMessage = (key: string, message: string) =>
  app.inject({
    method: 'POST',
    url: '/v1/feed/fork',
    headers: { authorization: `Bearer ${key}` },
    payload: { message },
  })
const introspect = (key: string, token: string) =>
  app.inject({
    method: 'POST',
    url: '/v1/introspect',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ token }).toString(),
  })
/** The session id in a cookie, or what else stands in its place, as one segment of a path. */
const pathOf = (value: string) => encodeURIComponent(value.split('.')[0]?.slice(0, 80) ?? '')
const asCookie = (value: string) => ({ cookie: `__Host-session=${value}` })
const change = { current_password: goodPassword, new_password: newPassword }

const post = (url: string, headers: Record<string, string>, fields: Record<string, string>) =>
  app.inject({
    method: 'POST',
    url,
    remoteAddress: freshNetworkAddress(),
    headers: { origin: issuer, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: new URLSearchParams(fields).toString(),
  })
/** The hosted forms: each takes what the JSON route beside it takes. */
const pages: readonly Acceptor[] = [
  ...[
    '/',
    '/devices',
    '/password',
    '/step-up',
    '/sign-in-methods',
    '/second-factors',
    '/second-factors/app',
  ].map(url => ({
    at: `cookie at GET ${url}`,
    route: `GET ${url}`,
    present: (value: string) => send('GET', url, asCookie(value)),
  })),
  ...Object.entries({
    '/tenant': { tenant: '' },
    '/sign-in-methods/link': { provider: 'acme' },
    '/step-up/provider': { provider: 'acme' },
    '/devices/end-others': {},
    '/second-factors/app': {},
    '/step-up': { password: goodPassword },
    '/password': change,
  }).map(([url, fields]) => ({
    at: `cookie at POST ${url}`,
    route: `POST ${url}`,
    present: (value: string) => post(url, asCookie(value), fields),
  })),
  {
    at: 'cookie at POST /devices/end',
    route: 'POST /devices/end',
    present: value => post('/devices/end', asCookie(value), { session: value.split('.')[0] ?? '' }),
  },
  {
    at: 'cookie at POST /sign-in-methods/unlink',
    route: 'POST /sign-in-methods/unlink',
    present: async value =>
      post('/sign-in-methods/unlink', asCookie(value), { identity: await identityFor(value) }),
  },
  ...['rename', 'remove', 'recovery-codes', 'stop-removal'].map(form => ({
    at: `cookie at POST /second-factors/${form}`,
    route: `POST /second-factors/${form}`,
    present: async (value: string) => {
      const factor = await factorFor(value)
      const naming = { ...(form.startsWith('re') && { factor }), ...(form === 'rename' && { name: 'Mine' }) }
      return post(`/second-factors/${form}`, asCookie(value), form === 'recovery-codes' ? {} : naming)
    },
  })),
  {
    at: 'cookie at POST /second-factors/app/confirm',
    route: 'POST /second-factors/app/confirm',
    present: async value => {
      await post('/second-factors/app', asCookie(value), {})
      const { body } = await send('GET', '/second-factors/app', asCookie(value))
      const secret = /class="secret">([^<]+)/.exec(body)?.[1]?.replaceAll(' ', '')
      const code = secret === undefined ? '000000' : codeAt(secret)
      return post('/second-factors/app/confirm', asCookie(value), { code })
    },
  },
  ...Object.entries({
    '/sign-up/verify': { password: goodPassword, name: '' },
    '/password/reset': { password: newPassword },
    '/invitations/sign-up': { password: goodPassword, name: '' },
    '/sign-up/verify/address': {},
    '/password/reset/address': {},
    '/invitations/accept/address': {},
  }).map(([url, fields]) => ({
    at: `token at POST ${url}`,
    route: `POST ${url}`,
    present: (token: string) => post(url, {}, { token, ...fields }),
  })),
  {
    at: 'cookie at POST /invitations/accept',
    route: 'POST /invitations/accept',
    present: async value =>
      post('/invitations/accept', asCookie(value), { token: await invitationFor(value) }),
  },
  {
    at: 'token at POST /invitations/accept',
    route: 'POST /invitations/accept',
    present: async token => post('/invitations/accept', asCookie((await person(sql)).cookie), { token }),
  },
  {
    at: 'password at POST /sign-in',
    route: 'POST /sign-in',
    present: async value => post('/sign-in', {}, { email: (await person(sql)).email, password: value }),
  },
  {
    at: 'password at POST /step-up',
    route: 'POST /step-up',
    present: async value => post('/step-up', asCookie((await person(sql)).cookie), { password: value }),
  },
  {
    at: 'current_password at POST /password',
    route: 'POST /password',
    present: async value =>
      post('/password', asCookie((await person(sql)).cookie), { ...change, current_password: value }),
  },
]
/** For whoever the cookie belongs to. */
async function identityFor(cookie: string): Promise<string> {
  return identity(sql, await userOf(cookie))
}
/** A second factor, which this session rests on, and a reset of it that may be stopped. */
async function factorFor(cookie: string): Promise<string> {
  const [row] =
    await sql`update sessions set acr = 'aal2' where id = ${cookie.split('.')[0] ?? ''} returning user_id`
  const user = row?.user_id ?? (await person(sql)).id
  await sql`delete from totp_factors where user_id = ${user}`
  await sql`delete from recovery_codes where user_id = ${user}`
  const { factor } = await enrol(sql, federation.service, user)
  await sql`insert into factor_resets (user_id, due_at) values (${user}, now() + interval '1 day')
    on conflict do nothing`
  return factor
}
async function invitationFor(cookie: string): Promise<string> {
  const [row] = await sql`select u.email from sessions s join users u on u.id = s.user_id
    where s.id = ${cookie.split('.')[0] ?? ''}`
  return invitation(sql, row?.email ?? freshAddress())
}

/** Somebody with an app; of whoever was made last are the codes and pending sign-ins that are presented. */
let lastOwing: string | undefined
async function owing() {
  const { recoveryCodes, ...me } = await enrolled(sql, federation.service)
  lastOwing = me.id
  return me
}

/** Sign-ins by passkey that were begun. */
const begunByPasskey: Awaited<ReturnType<typeof signInAnswer>>[] = []
async function byPasskey() {
  const begun = await signInAnswer(sql, (await person(sql)).id)
  begunByPasskey.push(begun)
  return begun
}

/** Signed over what is no challenge of a sign-in. */
async function madeFor(challenge: string) {
  const { cookie } = await byPasskey()
  return { cookie, response: await answerTo(sql, (await person(sql)).id, challenge.slice(0, 200)) }
}

/** Whoever the cookie belongs to; somebody else, of one that is none. */
async function userOf(cookie: string): Promise<string> {
  const [row] = await sql`select user_id from sessions where id = ${cookie.split('.')[0] ?? ''}`
  return row?.user_id ?? (await person(sql)).id
}
/** A factor of theirs, and a session as strong as that. */
async function strongFactorOf(cookie: string): Promise<string> {
  const id = await userOf(cookie)
  return withFactor(sql, { id, session: cookie.split('.')[0] ?? '' }, { aal2: true })
}

/** A flow that a browser has begun, with what its provider sent back. */
interface Flow {
  readonly state: string
  readonly cookie: string
  readonly callback: string
}
const flows: Flow[] = []
async function flow(): Promise<Flow> {
  federation.provider.person = { sub: randomUUID(), email: freshAddress(), email_verified: true }
  const visitor = federation.visitor()
  const callback = await callbackFrom(await visitor.go())
  const state = new URL(callback, issuer).searchParams.get('state') ?? ''
  const begun = { state, callback, cookie: visitor.cookies.get('__Host-federation') ?? '' }
  flows.push(begun)
  return begun
}
const comeBack = (callback: string, cookie: string) =>
  app.inject({ url: callback, headers: { cookie: `__Host-federation=${cookie}` } })

const acceptors: readonly Acceptor[] = [
  ...pages,
  {
    at: 'state at GET /v1/federation/:provider/callback',
    route: 'GET /v1/federation/:provider/callback',
    present: async value => {
      const known = flows.find(({ state }) => state === value) ?? (await flow())
      return comeBack(known.callback.replace(known.state, encodeURIComponent(value)), known.cookie)
    },
  },
  {
    at: 'flow cookie at GET /v1/federation/:provider/callback',
    route: 'GET /v1/federation/:provider/callback',
    present: async value => {
      const known = flows.find(({ cookie }) => cookie === value) ?? (await flow())
      return comeBack(known.callback, value)
    },
  },
  {
    at: 'logout_token at POST /v1/federation/:provider/back-channel-logout',
    route: 'POST /v1/federation/:provider/back-channel-logout',
    present: logout_token => post('/v1/federation/acme/back-channel-logout', {}, { logout_token }),
  },
  {
    at: 'cookie at GET /v1/identities',
    route: 'GET /v1/identities',
    present: value => send('GET', '/v1/identities', asCookie(value)),
  },
  {
    at: 'cookie at DELETE /v1/identities/:id',
    route: 'DELETE /v1/identities/:id',
    present: async value => send('DELETE', `/v1/identities/${await identityFor(value)}`, asCookie(value)),
  },
  {
    at: 'sign-up/verify token',
    route: 'POST /v1/sign-up/verify',
    present: token => send('POST', '/v1/sign-up/verify', {}, { token, password: goodPassword }),
  },
  {
    at: 'password/reset token',
    route: 'POST /v1/password/reset',
    present: token => send('POST', '/v1/password/reset', {}, { token, password: newPassword }),
  },
  {
    at: 'invitations/sign-up token',
    route: 'POST /v1/invitations/sign-up',
    present: token => send('POST', '/v1/invitations/sign-up', {}, { token, password: goodPassword }),
  },
  {
    at: 'invitations/accept token',
    route: 'POST /v1/invitations/accept',
    present: async token =>
      send('POST', '/v1/invitations/accept', asCookie((await person(sql)).cookie), { token }),
  },
  {
    at: 'cookie at POST /v1/invitations/accept',
    route: 'POST /v1/invitations/accept',
    present: async value =>
      send('POST', '/v1/invitations/accept', asCookie(value), { token: await invitationFor(value) }),
  },
  {
    at: 'cookie at GET /v1/session',
    route: 'GET /v1/session',
    present: value => send('GET', '/v1/session', asCookie(value)),
  },
  {
    at: 'cookie at POST /v1/token',
    route: 'POST /v1/token',
    present: value => send('POST', '/v1/token', asCookie(value), {}),
  },
  {
    at: 'cookie at PUT /v1/password',
    route: 'PUT /v1/password',
    present: value => send('PUT', '/v1/password', asCookie(value), change),
  },
  {
    at: 'cookie at POST /v1/session/step-up',
    route: 'POST /v1/session/step-up',
    present: value => send('POST', '/v1/session/step-up', asCookie(value), { password: goodPassword }),
  },
  {
    at: 'cookie at GET /v1/factors',
    route: 'GET /v1/factors',
    present: value => send('GET', '/v1/factors', asCookie(value)),
  },
  {
    at: 'cookie at POST /v1/totp',
    route: 'POST /v1/totp',
    present: value => send('POST', '/v1/totp', asCookie(value), {}),
  },
  {
    at: 'cookie at POST /v1/totp/confirm',
    route: 'POST /v1/totp/confirm',
    present: async value =>
      send('POST', '/v1/totp/confirm', asCookie(value), {
        code: await enrolmentCode(sql, { id: await userOf(value), session: value.split('.')[0] ?? '' }),
      }),
  },
  {
    at: 'cookie at POST /v1/recovery-codes',
    route: 'POST /v1/recovery-codes',
    present: async value => {
      await strongFactorOf(value)
      return send('POST', '/v1/recovery-codes', asCookie(value))
    },
  },
  ...(['PATCH', 'DELETE'] as const).map(
    (method): Acceptor => ({
      at: `cookie at ${method} /v1/factors/:factor`,
      route: `${method} /v1/factors/:factor`,
      present: async value => {
        const body = method === 'PATCH' ? { name: 'Other' } : undefined
        return send(method, `/v1/factors/${await strongFactorOf(value)}`, asCookie(value), body)
      },
    }),
  ),
  {
    at: 'cookie at DELETE /v1/factor-reset',
    route: 'DELETE /v1/factor-reset',
    present: async value => {
      await openReset(sql, await userOf(value))
      return send('DELETE', '/v1/factor-reset', asCookie(value))
    },
  },
  {
    at: 'pending at POST /v1/session/second-factor',
    route: 'POST /v1/session/second-factor',
    present: async value => {
      const code = await recoveryCode(sql, lastOwing ?? (await owing()).id)
      const cookie = `__Host-pending=${value}`
      return send('POST', '/v1/session/second-factor', { cookie }, { recovery_code: code })
    },
  },
  {
    at: 'recovery_code at POST /v1/session/second-factor',
    route: 'POST /v1/session/second-factor',
    present: async value => {
      const cookie = `__Host-pending=${await pendingSignIn(sql, lastOwing ?? (await owing()).id)}`
      return send('POST', '/v1/session/second-factor', { cookie }, { recovery_code: value.slice(0, 64) })
    },
  },
  {
    at: 'pending at POST /second-step',
    route: 'POST /second-step',
    present: async value => {
      const recovery_code = await recoveryCode(sql, lastOwing ?? (await owing()).id)
      return post('/second-step', { cookie: `__Host-pending=${value}` }, { recovery_code })
    },
  },
  ...(['code', 'recovery_code'] as const).flatMap((member): Acceptor[] => [
    {
      at: `${member} at POST /second-step`,
      route: 'POST /second-step',
      present: async value => {
        const pending = await pendingSignIn(sql, lastOwing ?? (await owing()).id)
        return post('/second-step', { cookie: `__Host-pending=${pending}` }, { [member]: value.slice(0, 64) })
      },
    },
    {
      at: `${member} at POST /step-up`,
      route: 'POST /step-up',
      present: async value => {
        const { cookie } = await session(sql, lastOwing ?? (await owing()).id)
        return post('/step-up', asCookie(cookie), { [member]: value.slice(0, 64) })
      },
    },
  ]),
  {
    at: 'challenge at POST /v1/passkey/sign-in',
    route: 'POST /v1/passkey/sign-in',
    present: async value => {
      const { cookie, response } =
        begunByPasskey.find(({ challenge }) => challenge === value) ?? (await madeFor(value))
      return send('POST', '/v1/passkey/sign-in', { cookie: `__Host-passkey=${cookie}` }, { response })
    },
  },
  {
    at: 'browser at POST /v1/passkey/sign-in',
    route: 'POST /v1/passkey/sign-in',
    present: async value => {
      const { response } = begunByPasskey.find(({ cookie }) => cookie === value) ?? (await byPasskey())
      return send('POST', '/v1/passkey/sign-in', { cookie: `__Host-passkey=${value}` }, { response })
    },
  },
  {
    at: 'challenge at POST /v1/session/step-up/passkey',
    route: 'POST /v1/session/step-up/passkey',
    present: async value => {
      const me = await person(sql)
      const response = await answerTo(sql, me.id, value.slice(0, 200))
      return send('POST', '/v1/session/step-up/passkey', asCookie(me.cookie), { response })
    },
  },
  {
    at: 'challenge at POST /v1/session/second-factor/passkey',
    route: 'POST /v1/session/second-factor/passkey',
    present: async value => {
      const me = await person(sql)
      const response = await answerTo(sql, me.id, value.slice(0, 200))
      const cookie = `__Host-pending=${await pendingSignIn(sql, me.id)}`
      return send('POST', '/v1/session/second-factor/passkey', { cookie }, { response })
    },
  },
  {
    at: 'challenge at POST /v1/passkeys',
    route: 'POST /v1/passkeys',
    present: async value => {
      const me = await person(sql)
      const response = await creationFor(me.id, value.slice(0, 200))
      return send('POST', '/v1/passkeys', asCookie(me.cookie), { response })
    },
  },
  {
    at: 'cookie at POST /v1/passkeys',
    route: 'POST /v1/passkeys',
    present: async value => {
      const of = { id: await userOf(value), session: value.split('.')[0] ?? '' }
      return send('POST', '/v1/passkeys', asCookie(value), { response: await registrationAnswer(sql, of) })
    },
  },
  {
    at: 'cookie at POST /v1/passkeys/options',
    route: 'POST /v1/passkeys/options',
    present: value => send('POST', '/v1/passkeys/options', asCookie(value), {}),
  },
  {
    at: 'cookie at POST /v1/session/step-up/passkey',
    route: 'POST /v1/session/step-up/passkey',
    present: async value => {
      const of = { id: await userOf(value), session: value.split('.')[0] ?? '' }
      const response = await stepUpAnswer(sql, of)
      return send('POST', '/v1/session/step-up/passkey', asCookie(value), { response })
    },
  },
  {
    at: 'cookie at POST /v1/session/step-up/passkey/options',
    route: 'POST /v1/session/step-up/passkey/options',
    present: value => send('POST', '/v1/session/step-up/passkey/options', asCookie(value)),
  },
  {
    at: 'pending at POST /v1/session/second-factor/passkey/options',
    route: 'POST /v1/session/second-factor/passkey/options',
    present: value =>
      send('POST', '/v1/session/second-factor/passkey/options', { cookie: `__Host-pending=${value}` }),
  },
  {
    at: 'pending at POST /v1/session/second-factor/passkey',
    route: 'POST /v1/session/second-factor/passkey',
    present: async value => {
      const response = await secondStepAnswer(sql, lastOwing ?? (await owing()).id, value)
      const cookie = `__Host-pending=${value}`
      return send('POST', '/v1/session/second-factor/passkey', { cookie }, { response })
    },
  },
  {
    at: 'code at POST /v1/session/second-factor',
    route: 'POST /v1/session/second-factor',
    present: async value => {
      const me = await enrolled(sql, federation.service)
      const cookie = `__Host-pending=${await pendingSignIn(sql, me.id)}`
      return send('POST', '/v1/session/second-factor', { cookie }, { code: value.slice(0, 64) })
    },
  },
  ...(['code', 'recovery_code'] as const).map(
    (member): Acceptor => ({
      at: `${member} at POST /v1/session/step-up`,
      route: 'POST /v1/session/step-up',
      present: async value => {
        const user = lastOwing ?? (await owing()).id
        const { cookie } = await session(sql, user)
        return send('POST', '/v1/session/step-up', asCookie(cookie), { [member]: value.slice(0, 64) })
      },
    }),
  ),
  {
    at: 'code at POST /v1/totp/confirm',
    route: 'POST /v1/totp/confirm',
    present: async value => {
      const me = await person(sql)
      await enrolmentCode(sql, me)
      return send('POST', '/v1/totp/confirm', asCookie(me.cookie), { code: value.slice(0, 64) })
    },
  },
  {
    at: 'cookie at PUT /v1/session/tenant',
    route: 'PUT /v1/session/tenant',
    present: value => send('PUT', '/v1/session/tenant', asCookie(value), { tenant: null }),
  },
  {
    at: 'cookie at GET /v1/sessions',
    route: 'GET /v1/sessions',
    present: value => send('GET', '/v1/sessions', asCookie(value)),
  },
  {
    at: 'cookie at DELETE /v1/sessions',
    route: 'DELETE /v1/sessions',
    present: value => send('DELETE', '/v1/sessions', asCookie(value)),
  },
  {
    at: 'cookie at DELETE /v1/sessions/:id',
    route: 'DELETE /v1/sessions/:id',
    present: value => send('DELETE', `/v1/sessions/${pathOf(value)}`, asCookie(value)),
  },
  {
    at: 'password at POST /v1/session/step-up',
    route: 'POST /v1/session/step-up',
    present: async value =>
      send('POST', '/v1/session/step-up', asCookie((await person(sql)).cookie), { password: value }),
  },
  {
    at: 'bearer at GET /v1/session',
    route: 'GET /v1/session',
    present: value => send('GET', '/v1/session', { authorization: `Bearer ${value}` }),
  },
  {
    at: 'bearer at POST /v1/token',
    route: 'POST /v1/token',
    present: value => send('POST', '/v1/token', { authorization: `Bearer ${value}` }, {}),
  },
  {
    at: 'bearer at GET /v1/admin/users',
    route: 'GET /v1/admin/users',
    present: key => app.inject({ url: '/v1/admin/users', headers: { authorization: `Bearer ${key}` } }),
  },
  {
    at: 'bearer at POST /v1/introspect',
    route: 'POST /v1/introspect',
    present: key => introspect(key, 'none'),
  },
  {
    at: 'token at POST /v1/introspect',
    route: 'POST /v1/introspect',
    present: async token => {
      const { key } = await serviceKey(sql, { scopes: ['introspect'], audiences: ['mintmark', 'api'] })
      return introspect(key, token)
    },
    refusal: '{"active":false}',
  },
  {
    at: 'bearer at GET /v1/feed',
    route: 'GET /v1/feed',
    present: key => app.inject({ url: '/v1/feed', headers: { authorization: `Bearer ${key}` } }),
  },
  {
    at: 'bearer at POST /v1/feed/fork',
    route: 'POST /v1/feed/fork',
    present: key => showMessage(key, 'none'),
  },
  {
    at: 'message at POST /v1/feed/fork',
    route: 'POST /v1/feed/fork',
    // Everybody is answered alike; only a message of ours that the database lacks does anything (test/feed).
    present: async message => showMessage((await serviceKey(sql, { scopes: ['feed'] })).key, message),
    refusal: '',
  },
  {
    at: 'password at POST /v1/session',
    route: 'POST /v1/session',
    present: async value =>
      send('POST', '/v1/session', {}, { email: (await person(sql)).email, password: value }),
  },
  {
    at: 'current_password at PUT /v1/password',
    route: 'PUT /v1/password',
    present: async value =>
      send('PUT', '/v1/password', asCookie((await person(sql)).cookie), {
        current_password: value,
        new_password: newPassword,
      }),
  },
]

for (const { kind, takenBy, make } of kinds) {
  test(`H2: a ${kind} is taken ${takenBy.length > 0 ? `by ${takenBy.join(', ')} and ` : ''}nowhere else`, async t => {
    const value = await make()
    for (const { at, present, refusal } of acceptors) {
      if (takenBy.includes(at)) continue
      const answer = await present(value)
      if (asksToSignIn(answer)) t.equal(answer.statusCode, 303, at)
      else if (refusal === undefined) t.match(String(answer.statusCode), /^40[013]$/, at)
      else t.equal(answer.body, refusal, at)
      t.notOk(answer.headers['set-cookie'], at)
    }
    // Sign-out answers everyone alike; it must have ended nothing.
    t.equal(
      (await send('DELETE', '/v1/session', asCookie(kind === 'session cookie' ? `x${value}` : value)))
        .statusCode,
      204,
    )
    for (const [index, at] of takenBy.entries()) {
      const acceptor = acceptors.find(one => one.at === at)
      const unspent = index === 0 || cookieRoutes.includes(at)
      const answer = await acceptor?.present(unspent ? value : await make())
      const done = answer && (answer.statusCode < 300 || (answer.statusCode === 303 && !asksToSignIn(answer)))
      t.ok(done && answer.body !== acceptor?.refusal, `${at}: refused elsewhere, it still works here`)
    }
  })
}

test('H2 is complete: every stored secret is a kind, and every route that redeems one is an acceptor', async t => {
  const stored: string[] = []
  for (const column of await secretColumns(sql)) {
    if (column !== 'mail_links.token_hash') stored.push(column)
    else for (const purpose of await singleUsePurposes(sql)) stored.push(`${column} ${purpose}`)
  }
  t.same(kinds.flatMap(({ proves }) => proves ?? []).sort(), stored.sort())

  const covered = new Set(acceptors.map(({ route }) => route))
  for (const route of await listRoutes()) {
    const members = Object.keys(route.body?.properties ?? {})
    const redeems = /token|secret|code|password|link|challenge|assertion/
    // What we prove ourselves with to a provider is kept here, and not redeemed.
    const others = ['token_lifetime_seconds', 'client_secret']
    if (members.some(name => redeems.test(name) && !others.includes(name)))
      t.ok(covered.has(route.key), `${route.key} redeems ${members} and is an acceptor`)
  }
})

test('H2 is complete: every route that a cookie opens is an acceptor of cookies', async t => {
  for (const route of await listRoutes()) {
    const { key, method } = route
    const me = await person(sql)
    const { cookie } = me
    if (method === 'HEAD' || method === 'OPTIONS') continue
    const anonymous = await app.inject({
      method: method as 'GET',
      url: await pathFor(sql, route, me),
      headers: headersFrom(issuer),
      payload: {},
    })
    if (anonymous.statusCode !== 401 && !asksToSignIn(anonymous)) continue
    const known = await app.inject({
      method: method as 'GET',
      url: await pathFor(sql, route, me),
      headers: headersFrom(issuer, cookie),
      payload: {},
    })
    // What a cookie opens only for some is in H3; to what a pending sign-in opens it is nothing.
    if (known.statusCode !== 401 && known.statusCode !== 403 && !asksToSignIn(known))
      t.ok(
        acceptors.some(({ at }) => at === `cookie at ${key}`),
        key,
      )
  }
})
