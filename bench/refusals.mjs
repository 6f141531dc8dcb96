// Callers who are refused, one for each kind of refusal that the audit log keeps, and a bystander: for
// bench/bystander.mjs and test/process/bystander.test.ts.

import { createPasswordHasher } from '../dist/accounts/password-hash.js'
import { readPassword } from '../dist/accounts/password-policy.js'
import { newServiceCredential, revealServiceCredential } from '../dist/core/service-key.js'
import { newCredential } from '../dist/sessions/credential.js'

const password = 'several unrelated words here'
const nobody = '00000000-0000-4000-8000-000000000000'
const wrong = { password: 'a wrong password, long enough' }
const wrongCurrent = { current_password: wrong.password, new_password: 'quite other words now' }

const json = (method, path, body) => ({
  method,
  path,
  body: body && JSON.stringify(body),
  type: 'application/json',
})
const form = (path, fields) => ({
  method: 'POST',
  path,
  body: new URLSearchParams(fields).toString(),
  type: 'application/x-www-form-urlencoded',
})

/** What each kind of refusal is called in the audit log, and the routes on which one caller asks for it. */
const kinds = {
  'session.token': () => [
    json('POST', '/v1/token', { client_id: 'bench', audience: 'https://elsewhere.example' }),
    json('POST', '/v1/token', { client_id: 'bench', tenant: nobody }),
    json('POST', '/v1/token', { client_id: 'bench', expect: { sub: nobody } }),
    json('POST', '/v1/token', { client_id: 'nobody' }),
  ],
  'session.tenant': () => [
    json('PUT', '/v1/session/tenant', { tenant: nobody }),
    form('/tenant', { tenant: nobody }),
  ],
  'session.stepped-up: stale-proof': ({ session }) => [
    json('DELETE', '/v1/sessions'),
    json('DELETE', `/v1/sessions/${session}`),
    json('DELETE', `/v1/identities/${nobody}`),
    json('GET', '/v1/admin/users'),
  ],
  'session.stepped-up: wrong-password': () => [
    json('POST', '/v1/session/step-up', wrong),
    form('/step-up', wrong),
  ],
  'password.changed': () => [json('PUT', '/v1/password', wrongCurrent), form('/password', wrongCurrent)],
  'session.reuse-detected': () => [
    json('GET', '/v1/session'),
    json('GET', '/v1/sessions'),
    json('POST', '/v1/token', { client_id: 'bench' }),
    json('PUT', '/v1/session/tenant', { tenant: null }),
    json('DELETE', '/v1/sessions'),
    json('GET', '/v1/admin/users'),
  ],
  'session.opened: wrong-password': ({ email }) => [
    json('POST', '/v1/session', { email, ...wrong }),
    form('/sign-in', { email, ...wrong }),
  ],
  'session.opened: unknown-address': () => [
    json('POST', '/v1/session', { email: 'nobody@example.com', ...wrong }),
  ],
  'session.opened: malformed': () => [json('POST', '/v1/session', { email: 'nobody', ...wrong })],
  'admin.request: a person': () => [
    json('GET', '/v1/admin/users'),
    json('GET', '/v1/admin/audit'),
    json('POST', '/v1/admin/tenants', { name: 'Acme' }),
  ],
  'admin.request: a service key': () => [json('GET', '/v1/admin/users'), json('GET', '/v1/admin/tenants')],
}

/** `issuer` is whose pages send the forms. Everybody is behind the proxy of this machine, at an address of their own. */
export async function prepare(sql, issuer) {
  const phc = await createPasswordHasher({ concurrency: 1, queueLimit: 1 }).hash(readPassword(password))
  let people = 0
  async function person() {
    const email = `bystander-${people++}@example.com`
    const { id, secret } = newCredential()
    const [{ user }] = await sql`
      insert into users (email, canonical_email) values (${email}, ${email}) returning id as user`
    await sql`insert into passwords (user_id, phc) values (${user}, ${phc})`
    await sql`
      insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at, idle_seconds,
        user_agent, address)
      select ${id}, u.id, ${secret.hash()}, g.epoch, u.epoch, '{pwd}', 'aal1', now() + interval '30 days', 604800,
        'bench', '127.0.0.1'
      from users u, service g where u.id = ${user}`
    return { email, session: id, cookie: `__Host-session=${id}.${secret.reveal()}` }
  }

  const attackers = []
  for (const [kind, requestsOf] of Object.entries(kinds)) {
    const me = await person()
    const change = changes[kind]
    const headers = {
      'x-forwarded-for': `198.51.100.${attackers.length + 1}`,
      'x-mintmark': '1',
      ...(await (change ? change(sql, me) : { cookie: me.cookie })),
    }
    const requests = requestsOf(me).map(({ method, path, body, type }) => ({
      method,
      path,
      body,
      headers: {
        ...headers,
        ...(body && { 'content-type': type }),
        ...(type !== 'application/json' && { origin: issuer, 'sec-fetch-site': 'same-origin' }),
      },
    }))
    attackers.push({ kind, requests })
  }
  return { attackers, regular: regular(await person()), bystander: { ...(await person()), password } }
}

/** One who is let in, again and again, from several addresses. */
const regular = ({ email }) => ({
  kind: 'signs in rightly',
  requests: [1, 2, 3].map(host => ({
    ...json('POST', '/v1/session', { email, password }),
    headers: {
      'x-forwarded-for': `203.0.113.${host}`,
      'x-mintmark': '1',
      'content-type': 'application/json',
    },
  })),
})

/** What must hold of a caller so that they are refused in this way, and what they then present. */
const changes = {
  'session.stepped-up: stale-proof': async (sql, { session, cookie }) => {
    await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${session}`
    return { cookie }
  },
  'session.reuse-detected': async (sql, { session, cookie }) => {
    await sql`update sessions set previous_secret_hash = secret_hash, secret_changed_at = now() - interval '1 hour',
      secret_hash = decode(repeat('ab', 32), 'hex') where id = ${session}`
    return { cookie }
  },
  'session.opened: wrong-password': () => ({}),
  'session.opened: unknown-address': () => ({}),
  'session.opened: malformed': () => ({}),
  'admin.request: a service key': async sql => {
    const credential = newServiceCredential()
    await sql`insert into service_keys (id, secret_hash, name, scopes)
      values (${credential.id}, ${credential.secret.hash()}, 'A service', '{introspect}')`
    return { authorization: `Bearer ${revealServiceCredential(credential)}` }
  },
}

/** So many requests of one caller at once until `over`; each answer is handed to `told`. */
export async function attack(url, { requests }, atOnce, over, told = () => {}) {
  let next = 0
  const loop = async () => {
    while (!over()) {
      const { method, path, headers, body } = requests[next++ % requests.length]
      const answer = await fetch(url + path, { method, headers, body, redirect: 'manual' })
      await answer.arrayBuffer()
      told(answer.status, answer.headers.get('request-id'))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, loop))
}

/** The bystander signs in, mints a token and signs out. Answers the statuses, and the milliseconds of all three. */
export async function goRound(url, { email, password }) {
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-mintmark': '1', 'content-type': 'application/json' }
  const startedAt = performance.now()
  const statuses = []
  const ask = async (method, path, cookie, body) => {
    const more = { ...headers, ...(cookie && { cookie }) }
    const answer = await fetch(url + path, { method, headers: more, body: JSON.stringify(body) })
    await answer.arrayBuffer()
    statuses.push(answer.status)
    return answer
  }
  const opened = await ask('POST', '/v1/session', undefined, { email, password })
  const [cookie] = (opened.headers.get('set-cookie') ?? '').split(';')
  await ask('POST', '/v1/token', cookie, { client_id: 'bench' })
  await ask('DELETE', '/v1/session', cookie, undefined)
  return { statuses, milliseconds: performance.now() - startedAt }
}
