/** The commands about providers: declared, tried and judged, and never with a secret in what they say. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import tap, { test } from 'tap'
import { clientSecret, Visitor } from '../federation/world.js'
import { tenant } from '../harness/world.js'
import { body, members } from '../support/hostile-lies.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { providerCommands } from './providers.js'

const { service, say, provider, adding, refusal } = await providerCommands(tap)
const { sql } = service.database
const added = (id: string, ...more: string[]) => say(`${clientSecret}\n`, ...adding(id, ...more))

test('what a provider lacks, or says wrongly, is refused before anything is stored', async t => {
  const refused = (...args: string[]) => refusal(`${clientSecret}\n`, ...args)
  t.match(await refused(...adding('Acme')), /the id must be/)
  t.match(
    await refused('providers', 'add', 'acme', '--client-id', 'x', '--client-secret-stdin'),
    /give --issuer/,
  )
  t.match(
    await refused('providers', 'add', 'acme', '--issuer', provider.issuer, '--client-secret-stdin'),
    /give --client-id/,
  )
  t.match(
    await refused('providers', 'add', 'acme', '--issuer', provider.issuer, '--client-id', 'x'),
    /--client-secret-stdin/,
  )
  t.match(await refusal('two\nlines\n', ...adding('acme')), /one line/)
  for (const [issuer, fault] of [
    ['http://login.example.com', /must begin with https/],
    [`${provider.issuer}?x=1`, /no query/],
    ['nothing', /is not an issuer/],
    [`${provider.issuer}/`, /not http.*identical/],
  ] as const)
    t.match(await refused(...adding('acme', '--issuer', issuer)), fault, issuer)
  t.match(await refused(...adding('acme', '--sign-up', 'domains')), /at least one domain/)
  t.match(
    await refused(...adding('acme', '--sign-up-domain', 'example.com')),
    /sign-up domains need sign-up by domains/,
  )
  t.match(await refused(...adding('acme', '--authoritative-for', '@example.com')), /not an email domain/)
  t.match(
    await refused(...adding('acme', '--aal2', 'amr:mfa')),
    /aal2 needs a provider that is accepted for step-up/,
  )
  t.match(await refused(...adding('acme', '--scope', 'email')), /openid/)
  t.match(await refused(...adding('acme', '--host', 'https://example.com')), /is not a host/)
  t.match(await refused(...adding('acme', '--grant', 'groups=x')), /claim.*value.*tenant/)

  for (const [lie, fault] of [
    [members({ issuer: 'https://other.example' }), /has the issuer "https:\/\/other\.example"/],
    [members({ token_endpoint: 'http://169.254.169.254/token' }), /token_endpoint.*not https/],
    [members({ jwks_uri: 'https://keys.example.com/jwks' }), /jwks_uri/],
    [
      members({ authorization_endpoint: `${provider.url}/authorize?client_id=evil` }),
      /already has the parameter/,
    ],
    [members({ token_endpoint_auth_methods_supported: ['private_key_jwt'] }), /neither client_secret_basic/],
    [body('<h1>It works</h1>', 200, { 'content-type': 'text/html' }), /not a JSON object/],
    [body({}, 500), /answered 500/],
  ] as const) {
    provider.lies = { discovery: lie }
    t.match(await refused(...adding('acme')), fault)
  }
  provider.lies = {}
  t.same(await sql`select from providers`, [])
})

test('a provider is added by one command, and people sign in through it at once', async t => {
  const { code, out, err } = await added('acme', '--sign-up', 'open', '--claim', 'name=name')
  t.equal(code, 0, err)
  t.match(
    out,
    /^Added acme\.\nRegister this redirect URI at the provider: http:\/\/localhost:4000\/v1\/federation\/acme\/callback\n/,
  )
  t.equal((await new Visitor(service).signIn('acme')).statusCode, 303)
  t.match(await refusal(`${clientSecret}\n`, ...adding('acme')), /the provider acme already exists/)
  t.match(await refusal(`${clientSecret}\n`, ...adding('other')), /another provider already has the issuer/)
})

test('it is shown with all that was declared, and never with its secret', async t => {
  const acme = await tenant(sql)
  const changed = await say(
    '',
    ...[
      'providers',
      'change',
      'acme',
      '--name',
      'Acme staff',
      '--sign-up',
      'domains',
      '--sign-up-domain',
      'example.com',
    ],
    ...['--grant', `groups=staff:${acme}:member`, '--counts-as-proof', '--aal2', 'amr:mfa', 'acr:2'],
    ...['--authoritative-for', 'example.com', '--json'],
  )
  t.equal(changed.code, 0, changed.err)
  const shown = JSON.parse((await say('', 'providers', 'show', 'acme', '--json')).out)
  t.same(JSON.parse(changed.out), shown)
  t.match(shown, {
    id: 'acme',
    name: 'Acme staff',
    state: 'enabled',
    redirect_uri: 'http://localhost:4000/v1/federation/acme/callback',
    logout_uri: 'http://localhost:4000/v1/federation/acme/back-channel-logout',
    sign_up: 'domains',
    sign_up_domains: ['example.com'],
    authoritative_for: ['example.com'],
    claims: { name: 'name' },
    grants: [{ claim: 'groups', value: 'staff', tenant: acme, role: 'member' }],
    counts_as_proof: true,
    aal2: ['amr:mfa', 'acr:2'],
  })
  const listed = await say('', 'providers', 'list')
  t.match(listed.out, /^ID +NAME +STATE +SIGN-UP +ISSUER\nacme +Acme staff +enabled +domains +http/)
  const prose = await say('', 'providers', 'show', 'acme')
  t.match(prose.out, /logout URI +http:\/\/localhost:4000\/v1\/federation\/acme\/back-channel-logout/)
  for (const { out } of [changed, listed, prose]) t.notMatch(out, clientSecret)
  const [row] = await sql`select sealed_secret from providers`
  t.notOk(row?.sealed_secret.includes(clientSecret), 'nor does it lie open in the table')
  t.match(await refusal('', 'providers', 'change', 'acme'), /nothing to change/)
  t.match(await refusal('', 'providers', 'show', 'nobody'), /there is no provider nobody/)
})

test('check asks as a sign-in would', async t => {
  t.equal(
    (await say('', 'providers', 'check', 'acme')).out,
    'acme can be reached, and its discovery document matches its configuration.\n',
  )
  const notKeys = /its keys were answered with \d+, or are not a key set/
  for (const [lie, fault] of [
    [body({}, 503), /answered 503/],
    [body({ keys: [] }, 404), notKeys],
    [body('<h1>It works</h1>', 200, { 'content-type': 'text/html' }), notKeys],
    [body([]), notKeys],
    [body('null'), notKeys],
    [body({ keys: {} }), notKeys],
  ] as const) {
    provider.lies = { jwks: lie }
    t.match(await refusal('', 'providers', 'check', 'acme'), fault)
  }
  provider.lies = {}
})

test('a secret follows the key-encryption key, and can be given anew', async t => {
  await writeFile(`${service.folder}/keys/second.kek`, `${randomBytes(32).toString('base64')}\n`, {
    mode: 0o600,
  })
  t.equal((await say('', 'keys', 'reseal')).code, 0)
  t.same((await sql`select kek_id from providers`)[0]?.kek_id, 'second')
  t.equal((await say('', 'providers', 'check', 'acme')).code, 0)
  const given = await say('another secret\n', 'providers', 'change', 'acme', '--client-secret-stdin')
  t.equal(given.code, 0, given.err)
})

test('turned off, nobody comes in; what it opened ends where that is asked for; deleted, its links are gone', async t => {
  const live = async () => (await sql`select from sessions where ended_at is null`).length
  t.equal(await live(), 1)
  t.equal((await say('', 'providers', 'disable', 'acme')).out, 'Disabled acme.\n')
  t.equal(await live(), 1)
  t.equal((await new Visitor(service).open('/v1/federation/acme')).statusCode, 404)
  t.equal((await say('', 'providers', 'enable', 'acme')).out, 'Enabled acme.\n')
  t.equal((await new Visitor(service).open('/v1/federation/acme')).statusCode, 303)
  t.equal(
    (await say('', 'providers', 'disable', 'acme', '--end-sessions')).out,
    'Disabled acme. 1 session was ended.\n',
  )
  t.equal(await live(), 0)
  t.equal(
    (await say('', 'providers', 'delete', 'acme', '--end-sessions')).out,
    'Deleted acme. 0 sessions were ended.\n',
  )
  t.same(await sql`select from federated_identities`, [])
  t.match(await refusal('', 'providers', 'delete', 'acme'), /there is no provider acme/)
})

test('a preset fills in what is known, and nothing else', async t => {
  const github = await startHostileProvider({ clientId: 'mintmark', clientSecret, kind: 'github' })
  t.teardown(() => github.close())
  const enterprise = ['--preset', 'github', '--issuer', github.url, '--sign-up', 'open']
  const { out, code, err } = await say(
    `${clientSecret}\n`,
    ...['providers', 'add', 'gh', ...enterprise, '--client-id', 'mintmark', '--client-secret-stdin'],
  )
  t.equal(code, 0, err)
  t.match(out, /name +GitHub\n[\s\S]*kind +GitHub \(OAuth 2\.0 without OpenID\)/)
  github.person = { sub: '1906', email: 'grace@example.com', email_verified: true }
  const grace = new Visitor(service)
  t.equal((await grace.signIn('gh')).statusCode, 303)
  t.equal((await grace.scripts.get('/v1/session')).json().user.email, 'grace@example.com')
  const none = await refusal(
    `${clientSecret}\n`,
    ...['providers', 'add', 'ms', '--preset', 'microsoft', '--client-id', 'x', '--client-secret-stdin'],
  )
  t.match(none, /needs a list of those that may sign in/)
})
