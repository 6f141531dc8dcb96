/** Whom a provider lets in: by the operator's policy, by what the provider may speak for, and nobody else. */
import { test } from 'tap'
import { parseEmailAddress } from '../../src/core/email-address.js'
import type { TenantId } from '../../src/core/principal.js'
import { tenant } from '../harness/world.js'
import { codeOf, federationWorld } from './world.js'

test('who may create an account by signing in is the operator’s to say', async t => {
  const world = await federationWorld(t, { signUp: 'off' })
  const { service } = world
  const tried = async () => codeOf(await world.visitor().signIn())
  t.equal(await tried(), 'sign_up_closed', 'off')
  await world.change({ signUp: 'domains', signUpDomains: ['elsewhere.example'] })
  t.equal(await tried(), 'sign_up_closed', 'another domain')
  world.provider.person = { ...world.provider.person, email: 'ada@sub.elsewhere.example' }
  t.equal(await tried(), 'sign_up_closed', 'a domain below it')
  world.provider.person = { ...world.provider.person, email: 'ada@elsewhere.example' }
  t.equal(await tried(), undefined, 'its domain')
  const grace = { sub: 'grace', email: 'grace@example.com', email_verified: true }
  world.provider.person = grace
  await world.change({ signUp: 'invitation', signUpDomains: [] })
  t.equal(await tried(), 'sign_up_closed', 'nobody invited')
  const acme = await tenant(service.database.sql)
  const { scripts } = await signedInAdministrator(world)
  const invited = await scripts.post(`/v1/admin/tenants/${acme}/invitations`, {
    email: 'Grace@example.com',
    roles: [],
  })
  t.equal(invited.statusCode, 201)
  world.provider.person = { ...grace, email_verified: false }
  t.equal(await tried(), 'address_unverified', 'FD-27: an invitation is no address’s that is not verified')
  world.provider.person = grace
  t.equal(await tried(), undefined, 'invited, and verified')
})

/** What a claim holds, and how the log says what it is: the value itself may be anything. */
const notVerified: readonly [value: unknown, said: string][] = [
  [undefined, 'email_verified is missing'],
  [false, 'email_verified is false'],
  [null, 'email_verified is null'],
  ['false', 'email_verified is the string "false"'],
  ['0', 'email_verified is the string "0"'],
  ...['1', 'True', 'TRUE', 'yes', ' true', 'true ', 'true\0', '', 'eve@example.com'].map(
    text => [text, 'email_verified is a string that is not accepted'] as [unknown, string],
  ),
  [1, 'email_verified is a number'],
  [[true], 'email_verified is a list'],
  [['true'], 'email_verified is a list'],
  [{ yes: true }, 'email_verified is an object'],
]

test('an address that is not verified matches nothing and makes nothing, and the log says which claim held what', async t => {
  const world = await federationWorld(t, { authoritativeFor: ['example.com'] })
  const { service, provider } = world
  await service.signUp('ada@example.com')
  const expected: string[] = []
  const tried = async (person: object, said: string) => {
    provider.person = { sub: 'ada', email: 'ada@example.com', ...person } as never
    const ada = world.visitor()
    t.equal(codeOf(await ada.signIn()), 'address_unverified', said)
    t.equal(ada.cookies.has('__Host-session'), false)
    expected.push(said)
  }
  for (const [value, said] of notVerified) await tried({ email_verified: value }, said)
  await tried({ email: undefined, email_verified: true }, 'email is missing')
  await tried(
    { email: 'eve@example.com, ada@example.com', email_verified: true },
    'email is a string that is not accepted',
  )
  await tried({ email: ['ada@example.com'], email_verified: true }, 'email is a list')
  await world.change({ claims: { email_verified: 'xms_edov' } })
  await tried({ email_verified: true }, 'xms_edov is missing')
  await tried({ xms_edov: '0' }, 'xms_edov is the string "0"')
  await tried({ xms_edov: 1 }, 'xms_edov is a number')
  const refused = service.logLines.filter(line => line.includes('provider sign-in failed'))
  t.same(
    refused.map(line => JSON.parse(line).reason),
    expected,
  )
  t.notMatch(refused.join(''), /example\.com/, 'no address is in the log')
  t.same(await service.database.sql`select user_id from federated_identities`, [])
})

test('the log says which claim of a verified person was not enough, and never its value', async t => {
  const world = await federationWorld(t, { signUp: 'off' })
  await world.service.signUp('ada@example.com')
  const tried = async (code: string) => t.equal(codeOf(await world.visitor().signIn()), code)
  world.provider.person = { sub: 'ada', email: 'ada@example.com', email_verified: true }
  await tried('account_exists')
  world.provider.person = { sub: 'eve', email: 'eve@example.com', email_verified: true }
  await tried('sign_up_closed')
  await world.change({ signUp: 'domains', signUpDomains: ['corp.example'] })
  await tried('sign_up_closed')
  await world.change({ signUp: 'invitation', signUpDomains: [] })
  await tried('sign_up_closed')
  const refused = world.service.logLines.filter(line => line.includes('provider sign-in failed'))
  t.same(
    refused.map(line => JSON.parse(line).reason),
    [
      'email is of a domain that the provider is not authoritative for',
      'sub is linked to no account, and this provider makes none',
      'email is of a domain that may not sign up',
      'email is an address that nobody has invited',
    ],
  )
  t.notMatch(refused.join(''), /example/)
})

test('an address is verified by a boolean, and by the spellings that large providers write instead', async t => {
  const world = await federationWorld(t)
  const tried = async (claim: string, value: unknown, code?: string) => {
    await world.change({ claims: claim === 'email_verified' ? {} : { email_verified: claim } })
    const sub = `${claim} ${JSON.stringify(value)}`
    const email = `${Buffer.from(sub).toString('hex')}@example.com`
    world.provider.person = { sub, email, [claim]: value } as never
    t.equal(codeOf(await world.visitor().signIn()), code, sub)
  }
  await tried('email_verified', true)
  await tried('email_verified', 'true')
  await tried('xms_edov', true)
  await tried('xms_edov', 'true')
  await tried('xms_edov', '1')
  await tried('verified', '1', 'address_unverified')
})

test('FD-25: an address from a provider is read as one that is typed, or not at all', async t => {
  const world = await federationWorld(t, { authoritativeFor: ['example.com'] })
  await world.service.signUp('ada@example.com')
  const spellings = [
    'ada＠example.com',
    'ada@example.com,eve@evil.example',
    '"ada"@example.com',
    'аda@example.com',
    'ada@example.com\n',
    ' ada@example.com',
    'ada@example。com',
  ]
  for (const email of spellings) {
    t.equal(parseEmailAddress(email).ok, false, email)
    world.provider.person = { ...world.provider.person, email }
    t.equal(codeOf(await world.visitor().signIn()), 'address_unverified', email)
  }
  t.same(await world.service.database.sql`select from federated_identities`, [])
})

test('a provider that is authoritative for a domain links its addresses, and no others', async t => {
  const world = await federationWorld(t, { authoritativeFor: ['example.com'] })
  const { user, browser } = await world.service.signUp('ada@example.com')
  await world.service.signUp('ada@elsewhere.example')
  const ada = world.visitor()
  t.equal((await ada.signIn()).statusCode, 303)
  t.equal((await ada.scripts.get('/v1/session')).json().user.id, user)
  t.match((await world.service.mailTo('ada@example.com')).text, /linked/)
  t.equal((await browser.get('/v1/session')).statusCode, 200, 'what its person has set stays')
  world.provider.person = { sub: 'x', email: 'ada@elsewhere.example', email_verified: true }
  t.equal(codeOf(await world.visitor().signIn()), 'account_exists')
})

test('a disabled person, and a provider that was turned off meanwhile, let nobody in', async t => {
  const world = await federationWorld(t)
  const { sql } = world.service.database
  const ada = world.visitor()
  await ada.signIn()
  const { user } = (await ada.scripts.get('/v1/session')).json()
  await sql`update users set state = 'disabled' where id = ${user.id}`
  t.equal(codeOf(await world.visitor().signIn()), 'federation_failed')
  await sql`update users set state = 'active' where id = ${user.id}`
  await ada.signIn()

  const late = world.visitor()
  const address = await late.go()
  await world.change({ state: 'disabled' })
  const callsBefore = world.provider.count('token')
  t.equal(codeOf(await late.comeBack(address)), 'federation_failed', 'FD-14')
  t.equal(world.provider.count('token'), callsBefore, 'and the code was not taken there')
  t.equal((await world.visitor().open('/v1/federation/acme')).statusCode, 404)
  t.equal(
    (await ada.scripts.get('/v1/session')).statusCode,
    200,
    'a session that it opened is ours: it lives on',
  )
  t.equal(
    await world.store.endSessions('acme', {
      user: undefined,
      context: { requestId: undefined, address: undefined },
    }),
    1,
  )
  t.equal((await ada.scripts.get('/v1/session')).statusCode, 401, 'until an operator ends those')
  await world.change({ state: 'enabled' })
  t.equal((await world.visitor().signIn()).statusCode, 303)
})

test('FD-24: roles come from mapped claims and from nothing else, and go with them', async t => {
  const world = await federationWorld(t)
  const { sql } = world.service.database
  const acme = await tenant(sql)
  const ada = { ...world.provider.person }
  world.provider.person = { ...ada, roles: ['owner'], groups: ['staff'], admin: true, tenant: acme } as never
  const first = world.visitor()
  await first.signIn()
  t.same(await sql`select from memberships`, [], 'nothing is mapped')
  t.same((await sql`select platform_roles from users where email = 'ada@example.com'`)[0]?.platform_roles, [])

  await world.change({
    grants: [{ claim: 'groups', value: 'staff', tenant: acme as TenantId, role: 'member' }],
  })
  await world.visitor().signIn()
  const member = () =>
    sql`select to_json(role_ids) as roles, state from memberships where tenant_id = ${acme}`
  t.same(await member(), [{ roles: ['member'], state: 'active' }])
  await sql`update memberships set state = 'suspended', role_ids = '{member,r1}'`
  await world.visitor().signIn()
  t.same(await member(), [{ roles: ['member', 'r1'], state: 'suspended' }], 'who is suspended stays so')
  world.provider.person = { ...ada, groups: ['other'] } as never
  await world.visitor().signIn()
  t.same(await member(), [{ roles: ['r1'], state: 'suspended' }], 'a role that was given here stays')
})

async function signedInAdministrator(world: Awaited<ReturnType<typeof federationWorld>>) {
  const { browser, user } = await world.service.signUp('root@elsewhere.example')
  await world.service.database.sql`update users set platform_roles = '{administrator}' where id = ${user}`
  return { scripts: browser }
}
