/** The lies that only Microsoft's and GitHub's protocols have room for. */
import { test } from 'tap'
import type { ErrorCode } from '../../src/http/middleware/problem.js'
import type { Attack } from '../red/federation.js'
import { body, html, type Lie, members, oauthError, padded } from '../support/hostile-lies.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { underAttack } from './witness.js'
import { clientId, clientSecret, codeOf, federationWorld } from './world.js'

const [ours, sister, foreign] = [
  '72f988bf-86f1-41af-91ab-2d7cd011db47',
  'a0000000-0000-4000-8000-000000000001',
  'b0000000-0000-4000-8000-000000000002',
]

test('FD-13: of an issuer for several directories only those that are named sign in', async t => {
  const world = await federationWorld(
    t,
    { directories: [ours, sister], claims: { name: 'name', email_verified: 'xms_edov' } },
    'microsoft',
  )
  const { provider } = world
  const iss = (tenant: string) => `${provider.url}/${tenant}/v2.0`
  const edov = { xms_edov: true }
  const signIn = async (claims: Record<string, unknown>, tenant = ours) => {
    provider.tenant = tenant
    provider.lies = { claims: honest => ({ ...honest, ...edov, ...claims }) }
    const visitor = world.visitor()
    const code = codeOf(await visitor.signIn())
    t.equal(visitor.cookies.has('__Host-session'), code === undefined)
    return code
  }
  const refused: Record<string, [claims: Record<string, unknown>, tenant?: string]> = {
    'a directory that is not named': [{}, foreign],
    'its issuer, and the name of one that is': [{ tid: ours }, foreign],
    'the issuer of one that is, and its own name': [{ iss: iss(ours) }, foreign],
    'the issuer of the one, the name of the other': [{ tid: sister }],
    'the place itself': [{ iss: iss('{tenantid}'), tid: '{tenantid}' }],
    'no name': [{ tid: undefined }],
    'a list': [{ tid: [ours] }],
    'in upper case': [{ tid: ours.toUpperCase(), iss: iss(ours.toUpperCase()) }],
    common: [{ tid: 'common', iss: iss('common') }],
    'a way out': [{ tid: `${ours}/../${foreign}`, iss: iss(`${ours}/../${foreign}`) }],
  }
  for (const [what, [claims, tenant]] of Object.entries(refused))
    t.equal(await signIn(claims, tenant), 'federation_failed', what)
  t.same(await world.service.database.sql`select from users`, [])
  t.equal(await signIn({ xms_edov: undefined, email_verified: true }), 'address_unverified')
  for (const no of ['0', 1, false]) t.equal(await signIn({ xms_edov: no }), 'address_unverified')
  t.equal(await signIn({ xms_edov: '1' }), undefined, 'a directory that is named')
  t.equal(await signIn({}), undefined, 'again')
  t.equal(
    await signIn({}, sister),
    'account_exists',
    'the same subject in another directory is another identity',
  )
  await world.change({ directories: [sister] })
  t.equal(await signIn({}), 'federation_failed', 'a directory that was taken back')
})

const user = (what: string, lie: Lie, code: ErrorCode = 'federation_failed', id = 'FD-21'): Attack => ({
  id,
  what: `GitHub’s account: ${what}`,
  lies: { userinfo: lie },
  code,
})
const emails = (what: string, value: unknown): Attack => ({
  id: 'FD-25',
  what: `GitHub’s addresses: ${what}`,
  lies: { emails: body(value) },
  code: 'address_unverified',
})
const mail = { email: 'victim@example.com', primary: true, verified: true, visibility: null }
const challenge = body({ message: 'Bad credentials' }, 401, {
  'content-type': 'application/json',
  'www-authenticate': 'Bearer realm="GitHub"',
})
const gitHubLies: readonly Attack[] = [
  ...[undefined, null, '583231', 0, -1, 1.5, 2 ** 53, 1e300, true, [583231], { id: 1 }].map(id =>
    user(`its id is ${JSON.stringify(id)}`, members({ id })),
  ),
  user('a list', body([{ id: 1 }])),
  user('null', body('null')),
  user('a text', body('"583231"')),
  user('HTML', html),
  user('no JSON', body('{')),
  user('404', body({ id: 1 }, 404)),
  user('a challenge', challenge),
  user('a redirect', body({ id: 1 }, 302, { location: 'http://127.0.0.1:9/' })),
  user('500', body({ id: 1 }, 500), 'provider_unavailable'),
  user('5 MB', padded(), 'provider_unavailable', 'FD-23'),
  emails('not verified', [{ ...mail, verified: false }]),
  ...['true', 1, null, [true]].map(verified =>
    emails(`verified is ${JSON.stringify(verified)}`, [{ ...mail, verified }]),
  ),
  emails('not primary', [{ ...mail, primary: false }]),
  emails('a primary one that is not verified, before one that is', [{ ...mail, verified: false }, mail]),
  emails('primary is a text', [{ ...mail, primary: 'true' }]),
  emails('none', []),
  emails('no list', { 0: mail, length: 1 }),
  emails('null in the list', [null]),
  emails('null', 'null'),
  emails('an invalid address', [{ ...mail, email: 'ada＠example.com' }]),
  emails('an address that is a list', [{ ...mail, email: [mail.email] }]),
  { id: 'FD-25', what: 'no addresses for us', lies: { emails: body({}, 404) }, code: 'address_unverified' },
  { id: 'FD-25', what: 'addresses: a challenge', lies: { emails: challenge } },
  { id: 'FD-06', what: 'an error with 200', lies: { token: oauthError('bad_verification_code', 'x', 200) } },
  { id: 'FD-06', what: 'no access token', lies: { token: members({ access_token: undefined }) } },
  {
    id: 'FD-06',
    what: 'a form instead of JSON',
    lies: {
      token: body('access_token=x&token_type=bearer', 200, {
        'content-type': 'application/x-www-form-urlencoded',
      }),
    },
  },
  {
    id: 'FD-01',
    what: 'state of nobody',
    lies: { redirect: honest => ({ ...honest, state: 'A'.repeat(43) }) },
  },
  {
    id: 'FD-03',
    what: 'an iss that GitHub has not',
    lies: { redirect: honest => ({ ...honest, iss: 'https://x.example' }) },
  },
]

test('FD-06, FD-21, FD-25: what GitHub’s API does not say exactly signs nobody in', async t => {
  await underAttack(t, await federationWorld(t, {}, 'github'), gitHubLies)
})

test('FD-21: at GitHub a name that was given up and taken is another account', async t => {
  const world = await federationWorld(t, {}, 'github')
  const { provider } = world
  provider.person = { ...provider.person, login: 'ada' }
  const ada = world.visitor()
  await ada.signIn()
  provider.person = { sub: '999', login: 'ada', email: 'eve@example.com', email_verified: true }
  const eve = world.visitor()
  t.equal((await eve.signIn()).statusCode, 303)
  const id = async (visitor: typeof ada) => (await visitor.scripts.get('/v1/session')).json().user.id
  t.not(await id(ada), await id(eve))
})

test('FD-03: a flow begun at one provider is not finished at another’s callback', async t => {
  const world = await federationWorld(t)
  const other = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => other.close())
  await world.add({ id: 'other', issuer: other.issuer })
  for (const [begun, finished] of [
    ['acme', 'other'],
    ['other', 'acme'],
  ] as const) {
    const visitor = world.visitor()
    const { searchParams } = new URL(await visitor.go(begun))
    const query = `state=${searchParams.get('state')}&code=of-the-other`
    const page = await visitor.open(`/v1/federation/${finished}/callback?${query}`)
    t.equal(codeOf(page), 'federation_failed')
    t.equal(world.provider.count('token') + other.count('token'), 0, 'no code is shown to anybody')
  }
  t.same(await world.service.database.sql`select from users`, [])
})
