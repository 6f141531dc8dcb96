/** FD of the attack list: a provider that lies signs nobody in, makes nothing, and is not quoted. The data is in test/red. */
import { type Test, test } from 'tap'
import { isAllowed } from '../../src/federation/bounded-fetch.js'
import { type Attack, lyingCallbacks, lyingTokens } from '../red/federation.js'
import { lyingDocuments, lyingKeySets } from '../red/federation-documents.js'
import {
  lyingTokenEndpoint,
  lyingUserinfo,
  mixedAddresses,
  strangeAddresses,
} from '../red/federation-endpoints.js'
import { providerKey } from '../support/hostile-keys.js'
import { alsoText, innerServer, nestedText, pollutingText, withText } from '../support/hostile-lies.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { underAttack } from './witness.js'
import { callbackFrom, clientId, clientSecret, codeOf, federationWorld } from './world.js'

async function elsewhere(t: Test) {
  const server = await innerServer({ keys: [] })
  t.teardown(() => server.close())
  return server
}

test('FD-06, FD-22: no ID token that is not of this provider, for this client, for this flow, of now', async t => {
  await underAttack(
    t,
    await federationWorld(t),
    lyingTokens.filter(({ alg }) => alg === undefined),
  )
})

test('FD-06: a hash that nobody agreed on, under the right RSA key', async t => {
  const world = await federationWorld(t)
  const rsa = await providerKey('RS256')
  world.provider.keys = [rsa]
  await underAttack(
    t,
    world,
    lyingTokens.filter(({ alg }) => alg === 'RS256'),
  )
})

test('FD-01, FD-03, FD-19: no answer but the one to this request, and an error in our words', async t => {
  await underAttack(t, await federationWorld(t), lyingCallbacks)
})

const byDocument: Record<string, (at: Awaited<ReturnType<typeof elsewhere>>) => readonly Attack[]> = {
  'FD-07: a document that is another’s, or sends us elsewhere, is none': lyingDocuments,
  'FD-08: a key set is read so far and no further, and only for keys of its provider': lyingKeySets,
  'FD-06, FD-23: what the token endpoint answers': lyingTokenEndpoint,
  'FD-21, FD-23: userinfo of another, or of any length': lyingUserinfo,
}
for (const [rule, attacks] of Object.entries(byDocument))
  test(rule, async t => {
    const server = await elsewhere(t)
    await underAttack(t, await federationWorld(t), attacks(server), server)
  })

test('FD-25: an address that is not one, or that nobody verified, is none', async t => {
  const world = await federationWorld(t)
  await underAttack(t, world, [...strangeAddresses, ...mixedAddresses])
})

test('FD-23: what a claim is called or how deep it is changes nothing', async t => {
  const world = await federationWorld(t)
  const { provider } = world
  const harmless: Record<string, typeof provider.lies> = {
    'members of a prototype': { claims: claims => withText(claims, pollutingText) },
    '10 000 deep': { claims: claims => withText(claims, `"deep":${nestedText()}`) },
    'members of a prototype in userinfo': {
      claims: ({ name: _, ...claims }) => claims,
      userinfo: alsoText(pollutingText),
    },
    'the document has members of a prototype': { discovery: alsoText(pollutingText) },
    'a key set elsewhere in the header': {
      header: claims => ({ ...claims, jku: 'http://127.0.0.1:9/', x5u: 'x' }),
    },
  }
  for (const [what, lies] of Object.entries(harmless)) {
    provider.person = { ...provider.person, sub: what, email: `p${what.length}@example.com` }
    provider.lies = lies
    await world.change({})
    const person = world.visitor()
    t.equal((await person.signIn()).statusCode, 303, what)
    t.equal(({} as Record<string, unknown>).admin, undefined, what)
    const { user, session } = (await person.scripts.get('/v1/session')).json()
    t.same([session.amr, session.acr, user.platform_roles ?? []], [['fed'], 'aal1', []], what)
  }
  const names = [
    'a\0b',
    'a\nb',
    '\u202eevil',
    'x'.repeat(101),
    '\ud800',
    7,
    ['Ada'],
    { first: 'Ada' },
    '',
    null,
  ]
  for (const [index, name] of names.entries()) {
    provider.lies = { claims: claims => ({ ...claims, name }) }
    provider.person = { sub: `named${index}`, email: `named${index}@example.com`, email_verified: true }
    const person = world.visitor()
    t.equal((await person.signIn()).statusCode, 303, JSON.stringify(name))
    t.equal((await person.scripts.get('/v1/session')).json().user.name ?? null, null, JSON.stringify(name))
  }
})

test('FD-19: of an answer that is no JSON the log quotes nothing: it may be a token', async t => {
  const world = await federationWorld(t)
  const token = 'gho_16C7e42F292c6912E7710c838347Ae178B4a'
  for (const body of [
    token,
    `{"access_token":"${token}"x}`,
    `{"access_token":${token}}`,
    `access_token=${token}`,
  ]) {
    world.provider.lies = { token: answer => ({ ...answer, body }) }
    t.equal(codeOf(await world.visitor().signIn()), 'federation_failed')
  }
  const log = world.service.logLines.join('')
  t.match(log, /provider sign-in failed/)
  t.notMatch(log, /gho_16|8B4a|access_tok/)
})

test('FD-07: https, at hosts that were declared, and loopback by http only where the issuer is there', async t => {
  const at = (issuer: string, ...hosts: string[]) => ({ issuer, hosts, kind: 'openid' }) as never
  const acme = at('https://login.acme.example', 'keys.acme.example')
  for (const url of [
    'https://login.acme.example/x',
    'https://LOGIN.acme.example',
    'https://keys.acme.example/x',
  ])
    t.equal(isAllowed(acme, url), true, url)
  for (const url of [
    'http://login.acme.example/x',
    'http://127.0.0.1/x',
    'https://login.acme.example:8443/x',
    'https://login.acme.example.evil.example/x',
    'https://evil.example/login.acme.example',
    'https://login.acme.example@evil.example/x',
    'https://x@login.acme.example/x',
    'https://login.acme.example./x',
    'ftp://login.acme.example/x',
    'data:application/json,{}',
    '//login.acme.example/x',
    '/x',
    '',
  ])
    t.equal(isAllowed(acme, url), false, url)
  t.equal(isAllowed(at('http://127.0.0.1:8080'), 'http://127.0.0.1:8080/x'), true)
  t.equal(isAllowed(at('http://127.0.0.1:8080'), 'http://127.0.0.1:5432/x'), false)
  t.equal(isAllowed(at('http://127.0.0.1:8080', 'acme.example'), 'http://acme.example/x'), false)
})

test('FD-08: whoever begins while a document hangs waits for one question, not for one each', async t => {
  const world = await federationWorld(t)
  world.provider.lies = { discovery: answer => ({ ...answer, pace: 'hang' }) }
  const pages = await Promise.all(
    Array.from({ length: 60 }, () => world.visitor().open('/v1/federation/acme')),
  )
  t.same(new Set(pages.map(codeOf)), new Set(['provider_unavailable']))
  t.equal(world.provider.count('discovery'), 1)
  world.provider.lies = {}
  t.equal((await world.visitor().signIn()).statusCode, 303, 'the next one asks again')
})

test('FD-08: a provider that hangs holds its own places, and nobody else’s', async t => {
  const world = await federationWorld(t)
  const other = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => other.close())
  other.person = { sub: '1', email: 'grace@example.com', email_verified: true }
  await world.add({ id: 'other', issuer: other.issuer })
  const returning = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const visitor = world.visitor()
      return { visitor, callback: await callbackFrom(await visitor.go()) }
    }),
  )
  world.provider.lies = { token: answer => ({ ...answer, pace: 'hang' }) }
  const startedAt = performance.now()
  const hanging = returning.map(({ visitor, callback }) => visitor.open(callback))
  const first = await Promise.race(hanging)
  t.equal(first.statusCode, 503, 'over fifty the next is told at once')
  t.match(first.body, /data-code="busy"/)
  const beside = performance.now()
  t.equal((await world.visitor().signIn('other')).statusCode, 303)
  t.ok(performance.now() - beside < 2000, 'at once')
  const answers = await Promise.all(hanging)
  t.ok(performance.now() - startedAt < 12_000)
  const codes = answers.map(({ body }) => /data-code="([a-z_]+)"/.exec(body)?.[1]).sort()
  t.same(codes, [...Array(10).fill('busy'), ...Array(50).fill('provider_unavailable')])
  world.provider.lies = {}
  t.equal((await world.visitor().signIn()).statusCode, 303, 'its places are free again')
  for (const [index, page] of answers.entries()) {
    const { visitor, callback } = returning[index] as (typeof returning)[number]
    if (codeOf(page) !== 'busy') continue
    t.match(page.body, /<a class="button" href="">Try again/)
    t.equal((await visitor.open(callback)).statusCode, 303, 'who found none comes back with the same answer')
  }
})

test('FD-08: whatever drips or hangs is given up after a few seconds', async t => {
  const world = await federationWorld(t)
  const lying = (['discovery', 'token', 'jwks', 'userinfo'] as const).flatMap(endpoint =>
    (['hang', 'drip'] as const).map(pace => ({ endpoint, pace })),
  )
  await Promise.all(
    lying.map(async ({ endpoint, pace }, index) => {
      const provider = await startHostileProvider({ clientId, clientSecret })
      t.teardown(() => provider.close())
      const id = `slow${index}`
      provider.person = { sub: id, email: `${id}@example.com`, email_verified: true }
      await world.add({ id, issuer: provider.issuer })
      provider.lies = {
        [endpoint]: (answer: object) => ({ ...answer, pace }),
        claims: ({ name: _, ...claims }) => claims,
      }
      const startedAt = performance.now()
      const visitor = world.visitor()
      const page =
        endpoint === 'discovery' ? await visitor.open(`/v1/federation/${id}`) : await visitor.signIn(id)
      t.match(page.body, /data-code="provider_unavailable"/, `${endpoint} ${pace}`)
      t.equal(page.statusCode, 503)
      t.ok(page.headers['retry-after'])
      t.ok(performance.now() - startedAt < 8000, `${endpoint} ${pace}`)
      provider.lies = {}
      t.equal((await world.visitor().signIn(id)).statusCode, 303, 'then it answers')
    }),
  )
})
