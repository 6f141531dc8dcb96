/** What an attacker tries around a provider: addresses, methods, frames, forms from elsewhere, other people's browsers. */
import { test } from 'tap'
import { appOrigin, goodPassword, issuer } from '../support/service.js'
import { made } from './witness.js'
import {
  buttonOf,
  callbackFrom,
  codeOf,
  type FederationWorld,
  federationWorld,
  type Visitor,
} from './world.js'

async function withPassword(world: FederationWorld, email = 'ada@example.com'): Promise<Visitor> {
  const visitor = world.visitor()
  const answer = await visitor.submit('/sign-in', { email, password: goodPassword })
  if (answer.statusCode !== 303) throw new Error(answer.body)
  return visitor
}

const elsewhere = [
  'https://evil.example/',
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  'https:evil.example',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  '/\t/evil.example',
  `${issuer}.evil.example/`,
  `${issuer}@evil.example/`,
  `${appOrigin}/not-registered`,
  `${appOrigin}@evil.example`,
  '/sign-in-methods/../..//evil.example',
  '/sign-in-methods?x',
  '/sign-in-methods#x',
  '/%2f/evil.example',
  '/\r\nset-cookie: x=1',
  '/v1/federation/acme',
  'a'.repeat(10_000),
  '\0',
  '__proto__',
]

test('no return address leads to where nobody registered one', async t => {
  const world = await federationWorld(t)
  for (const to of elsewhere) {
    const ada = world.visitor()
    const answer = await ada.signIn('acme', `?return_to=${encodeURIComponent(to)}`)
    t.equal(answer.statusCode, 303, to.slice(0, 40))
    t.equal(answer.headers.location, '/', to.slice(0, 40))
  }
  const twice = world.visitor()
  const answer = await twice.open('/v1/federation/acme?return_to=/devices&return_to=https://evil.example/')
  t.equal(codeOf(answer), 'invalid_request')
  const own = world.visitor()
  t.equal((await own.signIn('acme', '?return_to=/devices')).headers.location, '/devices')
  const refused = world.visitor()
  world.provider.lies = { redirect: ({ state }) => ({ state, error: 'access_denied' }) }
  const page = await refused.signIn('acme', '?return_to=https://evil.example/')
  t.notMatch(page.body, /evil/)
})

const ids = [
  ...['nobody', 'ACME', 'acme%20', 'acme%00', '%00', '%0d%0aset-cookie:x=1', 'a'.repeat(32), 'a'.repeat(33)],
  ...[
    'a'.repeat(5000),
    '..',
    '%2e%2e',
    '..%2f..%2fv1%2fsession',
    'acme%2fcallback',
    '%ff',
    '%',
    'a%cc%81cme',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    "'; drop table users; --",
    '%3Cscript%3E',
    '*',
    '{}',
    '%F0%9F%A6%8A',
  ],
]

test('a provider’s id in an address is one of ours, or there is nothing', async t => {
  const world = await federationWorld(t)
  for (const id of ids) {
    const ada = world.visitor()
    const { searchParams } = new URL(await ada.go())
    const query = `?code=x&state=${searchParams.get('state')}`
    for (const url of [`/v1/federation/${id}`, `/v1/federation/${id}/callback${query}`]) {
      const page = await ada.open(url)
      t.ok(page.statusCode >= 400 && page.statusCode < 500, `${url.slice(0, 60)}: ${page.statusCode}`)
      t.notMatch(page.body, /<script>|drop table/)
    }
    const logout = await world.service.app.inject({
      method: 'POST',
      url: `/v1/federation/${id}/back-channel-logout`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'logout_token=e30.e30.e30',
    })
    t.ok(logout.statusCode >= 400 && logout.statusCode < 500, `${id.slice(0, 60)}: ${logout.statusCode}`)
  }
  await world.service.signUp('ada@example.com')
  const ada = await withPassword(world)
  for (const provider of ['nobody', '\0', 'acme\0', '', '../acme', 'a'.repeat(33), '<script>', '__proto__'])
    for (const form of ['/sign-in-methods/link', '/step-up/provider']) {
      const page = await ada.submit(form, { provider })
      t.ok(
        page.statusCode >= 400 && page.statusCode < 500,
        `${form} ${JSON.stringify(provider)}: ${page.statusCode}`,
      )
      t.notMatch(page.body, /<script>/)
    }
  for (const identity of ['\0', 'x', '', '00000000-0000-4000-8000-000000000000', `${'a'.repeat(8)}'`]) {
    const page = await ada.submit('/sign-in-methods/unlink', { identity })
    t.ok(
      page.statusCode >= 400 && page.statusCode < 500,
      `unlink ${JSON.stringify(identity)}: ${page.statusCode}`,
    )
    const answer = await ada.scripts.delete(`/v1/identities/${encodeURIComponent(identity || ' ')}`)
    t.ok([400, 404].includes(answer.statusCode), `delete ${JSON.stringify(identity)}: ${answer.statusCode}`)
  }
  t.same(
    world.service.logLines.filter(line => line.includes('"level":50')),
    [],
  )
})

test('only a navigation comes back: HEAD takes nothing, and OPTIONS allows nothing', async t => {
  const world = await federationWorld(t)
  const ada = world.visitor()
  const callback = await callbackFrom(await ada.go())
  const cookie = `__Host-federation=${ada.cookies.get('__Host-federation')}`
  const answers = { HEAD: 405, OPTIONS: 403, PUT: 405, DELETE: 405, PATCH: 405 }
  for (const [method, status] of Object.entries(answers) as [keyof typeof answers, number][]) {
    const answer = await world.service.app.inject({
      method,
      url: callback,
      headers: { cookie, origin: 'https://evil.example', 'access-control-request-method': 'GET' },
    })
    t.equal(answer.statusCode, status, method)
    t.notOk(answer.headers['set-cookie'], method)
    t.notOk(answer.headers['access-control-allow-origin'], method)
  }
  t.same(await made(world), { users: 0, identities: 0, sessions: 0 })
  t.equal((await ada.open(callback)).statusCode, 303, 'it is still good')
})

test('login CSRF: nobody is signed in by an answer that their browser did not ask for', async t => {
  const world = await federationWorld(t)
  const eve = world.visitor()
  const callback = await callbackFrom(await eve.go())
  const victim = world.visitor()
  // The victim's browser was made to begin as well, before and after.
  await victim.go()
  t.equal(codeOf(await victim.open(callback)), 'federation_failed')
  t.notOk(victim.cookies.has('__Host-session'))
  await victim.signIn()
  const session = victim.cookies.get('__Host-session')
  t.equal(codeOf(await victim.open(callback)), 'federation_failed')
  t.equal(victim.cookies.get('__Host-session'), session)
  t.equal((await eve.open(callback)).statusCode, 303, 'and it was not used up')
})

test('linking and unlinking take a form of our own pages, and the person who began', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  const ada = await withPassword(world)
  const cookie = `__Host-session=${ada.cookies.get('__Host-session')}`
  const from: Record<string, Record<string, string>> = {
    'another origin': { origin: 'https://evil.example' },
    'an application': { origin: appOrigin },
    'a frame without an origin': { origin: 'null' },
    'another site': { origin: issuer, 'sec-fetch-site': 'cross-site' },
    'no origin': {},
  }
  const linked = async () => (await ada.scripts.get('/v1/identities')).json().identities
  for (const [what, headers] of Object.entries(from))
    for (const url of ['/sign-in-methods/link', '/sign-in-methods/unlink', '/step-up/provider']) {
      const answer = await world.service.app.inject({
        method: 'POST',
        url,
        headers: { ...headers, cookie, 'content-type': 'application/x-www-form-urlencoded' },
        payload: 'provider=acme&identity=00000000-0000-4000-8000-000000000000',
      })
      t.equal(answer.statusCode, 403, `${url} from ${what}`)
      t.notOk(answer.headers['set-cookie'], `${url} from ${what}`)
    }
  t.same(await world.service.database.sql`select from federation_flows`, [])

  const callback = await callbackFrom(
    buttonOf(await ada.submit('/sign-in-methods/link', { provider: 'acme' })),
  )
  const session = String(ada.cookies.get('__Host-session'))
  t.equal((await ada.scripts.delete('/v1/session')).statusCode, 204)
  t.equal(codeOf(await ada.open(callback)), 'federation_failed', 'signed out, with the old cookie')
  ada.cookies.delete('__Host-session')
  const again = await withPassword(world)
  ada.cookies.set('__Host-session', String(again.cookies.get('__Host-session')))
  t.equal(codeOf(await ada.open(callback)), 'federation_failed', 'it is used up')
  t.not(session, ada.cookies.get('__Host-session'))
  t.same(await linked(), [])

  // Eve has a code of hers, and the state of a link that the victim began: without the victim's cookie it is nothing.
  const address = new URL(buttonOf(await ada.submit('/sign-in-methods/link', { provider: 'acme' })))
  world.provider.person = { sub: 'eve', email: 'eve@example.com', email_verified: true }
  const eve = world.visitor()
  const hers = new URL(await callbackFrom(await eve.go()), issuer)
  hers.searchParams.set('state', String(address.searchParams.get('state')))
  t.equal(codeOf(await ada.open(hers.pathname + hers.search)), 'federation_failed', 'a code of another flow')
  t.same(await linked(), [])
})

test('no page of it can be framed, and none is kept', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  const ada = await withPassword(world)
  const pages = {
    methods: await ada.open('/sign-in-methods'),
    done: await ada.open('/sign-in-methods?done=%3Cscript%3E'),
    'on to the provider': await ada.submit('/sign-in-methods/link', { provider: 'acme' }),
    'on to step up': await ada.submit('/step-up/provider', { provider: 'acme' }),
    'step up': await ada.open('/step-up'),
    'sign in': await world.visitor().open('/sign-in'),
    refused: await world.visitor().open('/v1/federation/acme/callback'),
    unknown: await world.visitor().open('/v1/federation/nobody'),
    begun: await world.visitor().open('/v1/federation/acme'),
  }
  for (const [what, { headers, body }] of Object.entries(pages)) {
    t.match(headers['content-security-policy'], /frame-ancestors 'none'/, what)
    t.match(headers['content-security-policy'], /default-src 'none'/, what)
    t.equal(headers['x-frame-options'], 'DENY', what)
    t.equal(headers['referrer-policy'], 'same-origin', what)
    t.equal(headers['cache-control'], 'no-store', what)
    t.notMatch(body, /<script>/, what)
  }
})
