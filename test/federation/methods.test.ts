/** The ways in that a person has: linked, unlinked, and used to prove themselves again. */

import { test } from 'tap'
import { passkeyOf } from '../harness/passkeys.js'
import { eventually, goodPassword, tokenIn } from '../support/service.js'
import { endsAllOf } from './ending.js'
import { buttonOf, codeOf, type FederationWorld, federationWorld, type Visitor } from './world.js'

const password = { email: 'ada@example.com', password: goodPassword }

async function withPassword(world: FederationWorld): Promise<Visitor> {
  const ada = world.visitor()
  const answer = await ada.submit('/sign-in', password)
  if (answer.statusCode !== 303) throw new Error(answer.body)
  return ada
}

async function link(visitor: Visitor): Promise<string | undefined> {
  return codeOf(
    await visitor.comeBack(buttonOf(await visitor.submit('/sign-in-methods/link', { provider: 'acme' }))),
  )
}

/** So many in the audit log, the oldest first. */
const refusals = ({ service }: FederationWorld, count: number) =>
  eventually(async () => {
    const rows = await service.database.sql`select action, reason, actor from audit_events
      where outcome = 'refused' order by id`
    return rows.length === count ? [...rows] : undefined
  })

test('an identity is one person’s: who links it later is refused', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  await world.service.signUp('eve@example.com')
  const ada = await withPassword(world)
  t.equal(await link(ada), undefined)
  t.equal(await link(ada), undefined, 'again is no error')
  t.notMatch(world.service.logLines.join(''), /return address rejected/, 'it leads back to our own page')
  const eve = world.visitor()
  await eve.submit('/sign-in', { ...password, email: 'eve@example.com' })
  t.equal(await link(eve), 'identity_taken')
  t.same((await eve.scripts.get('/v1/identities')).json().identities, [])
})

test('linking begins with a form of ours and ends in the same person’s session', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  await world.service.signUp('eve@example.com')
  const ada = await withPassword(world)
  const forged = await ada.open('/sign-in-methods/link?provider=acme')
  t.equal(forged.statusCode, 405, 'no link begins it')
  const elsewhere = await world.service.app.inject({
    method: 'POST',
    url: '/sign-in-methods/link',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: 'https://evil.example',
      cookie: `__Host-session=${ada.cookies.get('__Host-session')}`,
    },
    payload: 'provider=acme',
  })
  t.equal(elsewhere.statusCode, 403)
  const address = buttonOf(await ada.submit('/sign-in-methods/link', { provider: 'acme' }))
  const eve = world.visitor()
  await eve.submit('/sign-in', { ...password, email: 'eve@example.com' })
  ada.cookies.set('__Host-session', String(eve.cookies.get('__Host-session')))
  const adas = await world.service.database.sql`select id from users where email = 'ada@example.com'`
  t.equal(codeOf(await ada.comeBack(address)), 'federation_failed', 'another person is signed in by then')
  const refused = [{ action: 'identity.linked', reason: 'signed-out-meanwhile', actor: adas[0]?.id }]
  t.same(await refusals(world, 1), refused, 'of who began it')
  t.same(await world.service.database.sql`select from federated_identities`, [])
})

test('what links and unlinks asks for a fresh proof first', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  const ada = await withPassword(world)
  await link(ada)
  const { identities } = (await ada.scripts.get('/v1/identities')).json()
  await world.service.database.sql`update sessions set auth_time = now() - interval '20 minutes'`
  for (const [url, fields] of [
    ['/sign-in-methods/link', { provider: 'acme' }],
    ['/sign-in-methods/unlink', { identity: identities[0].id }],
  ] as const)
    t.match((await ada.submit(url, fields)).headers.location, /^\/step-up\?/, url)
  const answer = await ada.scripts.delete(`/v1/identities/${identities[0].id}`)
  t.equal(answer.json().code, 'insufficient_user_authentication')
})

test('unlinking ends what it had opened, keeps who asks, and tells by mail; the last way in stays', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('ada@example.com')
  const ada = await withPassword(world)
  await link(ada)
  await world.service.mailTo('ada@example.com')
  const phone = world.visitor()
  await phone.signIn()
  const { identities } = (await ada.scripts.get('/v1/identities')).json()
  const eve = await world.service.signUp('eve@example.com')
  t.equal((await eve.browser.delete(`/v1/identities/${identities[0].id}`)).statusCode, 404, 'another’s')
  t.equal((await ada.scripts.delete(`/v1/identities/${identities[0].id}`)).statusCode, 204)
  t.equal((await phone.scripts.get('/v1/session')).statusCode, 401)
  t.equal((await ada.scripts.get('/v1/session')).statusCode, 200)
  t.match((await world.service.mailTo('ada@example.com')).subject, /was removed from your account/)
  t.equal(codeOf(await world.visitor().signIn()), 'account_exists', 'it signs nobody in')

  world.provider.person = { sub: 'grace', email: 'grace@example.com', email_verified: true }
  await world.change({ countsAsProof: true })
  const grace = world.visitor()
  await grace.signIn()
  const [only] = (await grace.scripts.get('/v1/identities')).json().identities
  const last = await grace.scripts.delete(`/v1/identities/${only.id}`)
  t.equal(last.statusCode, 409)
  t.equal(last.json().code, 'last_way_in')
  t.equal((await grace.scripts.get('/v1/session')).statusCode, 200)
})

test('who signs in with a passkey can unlink the last provider, and a second factor is no way in', async t => {
  const world = await federationWorld(t, { countsAsProof: true })
  const { sql } = world.service.database
  world.provider.person = { sub: 'ada', email: 'ada@example.com', email_verified: true }
  const ada = world.visitor()
  await ada.signIn()
  const { user } = (await ada.scripts.get('/v1/session')).json()
  const { identities } = (await ada.scripts.get('/v1/identities')).json()
  const unlink = () => ada.scripts.delete(`/v1/identities/${identities[0].id}`)
  await passkeyOf(sql, user.id)
  await sql`update passkeys set first_step = false`
  // As after a step-up by it.
  await sql`update sessions set acr = 'aal2' where user_id = ${user.id}`
  t.equal((await unlink()).json().code, 'last_way_in')
  t.equal((await ada.scripts.get('/v1/identities')).json().identities.length, 1)
  await sql`update passkeys set first_step = true`
  t.equal((await unlink()).statusCode, 204)
})

test('of two ways unlinked at once one stays', async t => {
  const world = await federationWorld(t, { countsAsProof: true })
  const { sql } = world.service.database
  for (let round = 0; round < 5; round++) {
    world.provider.person = { sub: `s${round}`, email: `p${round}@example.com`, email_verified: true }
    const ada = world.visitor()
    await ada.signIn()
    const { user } = (await ada.scripts.get('/v1/session')).json()
    await sql`insert into federated_identities (user_id, provider_id, issuer, subject, label)
      values (${user.id}, 'acme', ${world.provider.issuer}, ${`other${round}`}, 'other')`
    const { identities } = (await ada.scripts.get('/v1/identities')).json()
    const answers = await Promise.all(
      identities.map(({ id }: { id: string }) => ada.scripts.delete(`/v1/identities/${id}`)),
    )
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [204, 409])
  }
})

test('a provider steps up only where the operator says so, and only by a proof of now', async t => {
  const world = await federationWorld(t)
  const ada = world.visitor()
  await ada.signIn()
  t.match((await ada.open('/step-up')).body, /Set a password by email/, 'nothing that counts')
  const begun = async () => buttonOf(await ada.submit('/step-up/provider', { provider: 'acme' }))
  t.equal(codeOf(await ada.comeBack(await begun())), 'federation_failed', 'it does not count')

  await world.change({ countsAsProof: true, aal2: ['acr:phr', 'amr:mfa'] })
  const address = await begun()
  t.match(Object.fromEntries(new URL(address).searchParams), { prompt: 'login', max_age: '0' })
  const before = ada.cookies.get('__Host-session')
  t.equal((await ada.comeBack(address)).headers.location, '/')
  t.not(ada.cookies.get('__Host-session'), before, 'the secret changes')
  const { session } = (await ada.scripts.get('/v1/session')).json()
  t.ok(session.auth_time > Date.now() / 1000 - 60)
  t.equal(session.acr, 'aal1')

  const old = Math.floor(Date.now() / 1000) - 120
  world.provider.lies = { claims: claims => ({ ...claims, auth_time: old }) }
  t.equal(codeOf(await ada.comeBack(await begun())), 'federation_failed', 'an old proof')
  world.provider.lies = { claims: ({ auth_time: _, ...claims }) => claims }
  t.equal(codeOf(await ada.comeBack(await begun())), 'federation_failed', 'a proof without a time')
  world.provider.lies = { claims: claims => ({ ...claims, amr: ['pwd', 'mfa'], acr: 'x' }) }
  t.equal((await ada.comeBack(await begun())).statusCode, 303)
  t.match((await ada.scripts.get('/v1/session')).json().session, { amr: ['pwd', 'mfa'], acr: 'aal2' })
  const recorded = await world.service.database.sql`select acr, to_json(amr) as amr from federated_sessions
    where session_id = ${session.id}`
  t.same(recorded, [{ acr: 'x', amr: ['pwd', 'mfa'] }])

  world.provider.lies = {}
  world.provider.person = { sub: 'eve', email: 'eve@example.com', email_verified: true }
  t.equal(codeOf(await ada.comeBack(await begun())), 'federation_failed', 'another person’s identity')
  t.same(
    world.service.logLines
      .filter(line => line.includes('provider sign-in failed'))
      .map(line => JSON.parse(line).reason),
    [
      'the authentication at this provider does not count',
      'auth_time is before the step-up began',
      'auth_time is missing, or no time',
      'it is not an identity of this person',
    ],
    'the log says which claim it was',
  )
})

test('an operator ends all of a provider’s sessions, also those of a second proof', async t => {
  const world = await federationWorld(t, { countsAsProof: true })
  await endsAllOf(t, world)
})

test('what fails of a proof or a link leads back to where it was asked for, and on to where that led', async t => {
  const world = await federationWorld(t, { countsAsProof: true })
  const ada = world.visitor()
  await ada.signIn()
  const stepUp = (provider: string) => ada.submit('/step-up/provider', { provider, return_to: '/devices' })
  const unknown = await stepUp('nobody')
  t.equal(unknown.statusCode, 404)
  t.match(unknown.body, /<h1>Confirm that it’s you<\/h1>/)
  t.match(unknown.body, /name="return_to" value="\/devices"/)
  const going = [
    buttonOf(await stepUp('acme')),
    buttonOf(await ada.submit('/step-up/provider', { provider: 'acme' })),
    buttonOf(await ada.submit('/sign-in-methods/link', { provider: 'acme' })),
  ]
  world.provider.lies = { redirect: ({ code: _, ...honest }) => ({ ...honest, error: 'access_denied' }) }
  const back = []
  for (const address of going) back.push(buttonOf(await ada.comeBack(address)))
  t.same(back, ['/step-up?return_to=%2Fdevices', '/step-up', '/sign-in-methods'])
  const actor = (await ada.scripts.get('/v1/session')).json().user.id
  t.same(
    await refusals(world, 3),
    ['session.stepped-up', 'session.stepped-up', 'identity.linked'].map(action => ({
      action,
      reason: 'declined',
      actor,
    })),
    'each is in the audit log with who it was',
  )
  world.provider.lies = {}
  t.equal((await ada.comeBack(buttonOf(await stepUp('acme')))).headers.location, '/devices')
})

test('a reset of an account whose address was verified ends sessions and links, and names what else signs in', async t => {
  const world = await federationWorld(t)
  const { service, provider } = world
  const { sql } = service.database
  await service.signUp('ada@example.com')
  const ada = await withPassword(world)
  t.equal(await link(ada), undefined)
  await service.mailTo('ada@example.com')
  const held = buttonOf(await ada.submit('/sign-in-methods/link', { provider: 'acme' }))
  const asked = async () => {
    await service.browser().post('/v1/password/forgot', { email: 'ada@example.com' })
    return tokenIn(await service.mailTo('ada@example.com'))
  }
  const [before, token] = [await asked(), await asked()]
  const elsewhere = service.browser()
  t.equal((await elsewhere.post('/v1/password/reset', { token, password: goodPassword })).statusCode, 204)
  t.match((await service.mailTo('ada@example.com')).text, /You can still sign in with Acme\./)
  t.equal((await ada.scripts.get('/v1/session')).statusCode, 401)
  const again = await elsewhere.post('/v1/password/reset', { token: before, password: goodPassword })
  t.equal(again.json().code, 'link_invalid')
  t.equal((await sql`select from federation_flows`).length, 0)
  t.equal(codeOf(await ada.comeBack(held)), 'federation_failed')
  provider.person = { ...provider.person, email: 'ada@example.com' }
  t.equal((await world.visitor().signIn()).statusCode, 303, 'what she had linked signs her in')
  const events =
    await sql`select from audit_events where action in ('account.reclaimed', 'identity.unlinked')`
  t.same(events, [])
})

test('a password that was removed and one that is set later never have the same version', async t => {
  const world = await federationWorld(t, { authoritativeFor: ['example.com'] })
  const { service } = world
  const { sql } = service.database
  const [stranger] = await sql`insert into users (email, canonical_email)
    values ('ada@example.com', 'ada@example.com') returning id`
  await sql`insert into passwords (user_id, phc) values (${stranger?.id}, 'theirs')`
  t.equal((await world.visitor().signIn()).statusCode, 303)
  t.same(await sql`select from passwords`, [])
  await service.browser().post('/v1/password/forgot', { email: 'ada@example.com' })
  const mail = await eventually(() => service.mails.find(({ subject }) => /new password/.test(subject)))
  await service.browser().post('/v1/password/reset', { token: tokenIn(mail), password: goodPassword })
  const [row] = await sql`select version from passwords`
  t.type(row?.version, 'number')
  t.not(row?.version, 1, 'a sign-in that has proved the one before is under way')
  t.equal(
    await withPassword(world)
      .then(({ scripts }) => scripts.get('/v1/session'))
      .then(a => a.statusCode),
    200,
  )
})
