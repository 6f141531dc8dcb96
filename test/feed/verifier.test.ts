/** P7 where its parts meet: a real service, and the verifier that follows its feed. */
import { type Test, test } from 'tap'
import { createVerifier, requireFresh } from '../../packages/verifier/src/index.js'
import { member, serviceKey, tenant } from '../harness/world.js'
import { codeOf, followedService, following, reached } from '../support/followed.js'
import { appOrigin, eventually, type TestService, testService } from '../support/service.js'

async function follower(t: Test, service: TestService, key: string) {
  const verifier = following(t, service, { mode: 'required' }, key)
  const { revocation } = await verifier.ready()
  t.match(revocation, { mode: 'required', state: 'fresh' })
  return verifier
}

async function worker(service: TestService, email: string) {
  const { sql } = service.database
  const { browser, user } = await service.signUp(email)
  const acme = await tenant(sql)
  await member(sql, user, acme, 'r1')
  const mint = async (within?: string) => {
    const answer = await browser
      .at(service.app, appOrigin)
      .post('/v1/token', within ? { tenant: within } : {})
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json().access_token as string
  }
  return { browser, user, acme, mint }
}

test('P7: once it has returned, what was revoked is refused by the verifiers of every instance', async t => {
  const { service, sql, key } = await followedService(t)
  const beside = await testService(t, { beside: service })
  const verifiers = [await follower(t, service, key), await follower(t, beside, key)]
  const verdicts = (token: string) => Promise.all(verifiers.map(async one => codeOf(await one.verify(token))))
  const all = (word: string) => verifiers.map(() => word)

  const causes: Record<string, (who: Awaited<ReturnType<typeof worker>>) => Promise<unknown>> = {
    'a sign-out': ({ browser }) => browser.delete('/v1/session'),
    'a disabled user': ({ user }) => sql`update users set state = 'disabled' where id = ${user}`,
    'a deleted user': ({ user }) => sql`delete from users where id = ${user}`,
    'a role that was taken': ({ user }) =>
      sql`update memberships set role_ids = '{}' where user_id = ${user}`,
    'a role that permits less': ({ acme }) =>
      sql`update tenants set roles = ${sql.json({ r1: { name: 'reader', permissions: [] } })} where id = ${acme}`,
    'a suspended tenant': ({ acme }) => sql`update tenants set state = 'suspended' where id = ${acme}`,
    'an audience that was taken': () =>
      sql`update applications set audiences = '{other}' where client_id = 'spa'`,
    'all sessions': () => sql`update service set epoch = random_handle()`,
  }
  for (const [cause, revoke] of Object.entries(causes)) {
    await t.test(cause, async t => {
      const who = await worker(service, `${cause.replaceAll(' ', '-')}@example.com`)
      const token = await who.mint(who.acme)
      t.strictSame(await verdicts(token), all('ok'))
      await revoke(who)
      const returned = performance.now()
      await eventually(async () =>
        (await verdicts(token)).every(code => code === 'stale_token') ? true : undefined,
      )
      t.comment(`refused everywhere after ${Math.round(performance.now() - returned)} ms`)
      await sql`update applications set audiences = '{api}' where client_id = 'spa'`
    })
  }
})

test('no token that was minted after a change is refused for it', async t => {
  const { service, sql, key } = await followedService(t)
  const verifier = await follower(t, service, key)
  const who = await worker(service, 'ada@example.com')
  for (let round = 0; round < 20; round++) {
    await sql`update memberships set role_ids = '{r1,r2}' where user_id = ${who.user}`
    await sql`update memberships set role_ids = '{r1}' where user_id = ${who.user}`
    const token = await who.mint(who.acme)
    for (let times = 0; times < 5; times++) {
      t.match(await verifier.verify(token), { ok: true }, `round ${round}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
})

test('P7 at its edge: cut off, `required` answers 503, a fresh route too, and both work again afterwards', async t => {
  const { service, key } = await followedService(t)
  const { issuer } = service
  let cut = false
  const through = reached(service)
  const fetch = (url: string, init?: RequestInit) =>
    cut && url.includes('/v1/feed') ? Promise.reject(new Error('cut')) : through(url, init)
  const revocation = { mode: 'required', maxAgeSeconds: 5 } as const
  const verifier = createVerifier({ issuer, audience: 'api', serviceKey: key, revocation, fetch })
  t.teardown(() => verifier.close())
  await verifier.ready()
  const who = await worker(service, 'ada@example.com')
  const token = await who.mint()
  t.match(await verifier.verify(token), { ok: true })
  cut = true
  const refused = await eventually(async () => {
    const verdict = await verifier.verify(token)
    return verdict.ok ? undefined : verdict
  }, 30)
  t.match(refused, { code: 'revocation_unknown', retryAfterSeconds: Number })
  t.equal(verifier.health().revocation.state, 'stale')
  cut = false
  const again = await eventually(async () => {
    const verdict = await verifier.verify(token)
    return verdict.ok ? verdict : undefined
  }, 30)
  t.match(verifier.check(again.principal, requireFresh(5)), { ok: true })
})

test('a killed signing key is refused at once, and the next one is accepted', async t => {
  const { service, sql, key } = await followedService(t)
  const verifier = await follower(t, service, key)
  const who = await worker(service, 'ada@example.com')
  const token = await who.mint()
  t.match(await verifier.verify(token), { ok: true })
  const { key: operator } = await serviceKey(sql, { scopes: ['keys:read', 'keys:write'] })
  const kid = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const killed = await service.app.inject({
    method: 'POST',
    url: '/v1/admin/signing-keys/compromise',
    headers: { authorization: `Bearer ${operator}` },
    payload: { kid },
  })
  t.equal(killed.statusCode, 200, killed.body)
  await eventually(async () => ((await verifier.verify(token)).ok ? undefined : true))
  t.match(await verifier.verify(token), { ok: false })
  const next = await eventually(async () => {
    const verdict = await verifier.verify(await who.mint())
    return verdict.ok ? verdict : undefined
  }, 30)
  t.equal(next.ok, true)
})

test('with a fresh feed a verifier says of every token what introspection says', async t => {
  const { service, sql, key } = await followedService(t)
  const verifier = await follower(t, service, key)
  const agree = async (token: string, what: string) => {
    // Whatever has returned by now is in the next answer.
    await eventually(async () => {
      const [local, asked] = [await verifier.verify(token), await verifier.introspect(token)]
      return local.ok === asked.ok ? true : undefined
    })
    t.pass(what)
  }
  const who = await worker(service, 'ada@example.com')
  const kept = await who.mint(who.acme)
  for (const [what, change] of Object.entries({
    nothing: async () => {},
    'a role more': async () => sql`update memberships set role_ids = '{r1,r2}' where user_id = ${who.user}`,
    'a role less': async () => sql`update memberships set role_ids = '{r2}' where user_id = ${who.user}`,
    'an origin more': async () =>
      sql`insert into application_origins (origin, client_id) values ('https://b.example', 'spa')`,
    'an origin less': async () => sql`delete from application_origins where origin = 'https://b.example'`,
    'another user': async () => (await worker(service, 'bob@example.com')).browser.delete('/v1/session'),
    recovered: async () => sql`update service set generation = generation + 1`,
    'a sign-out': async () => who.browser.delete('/v1/session'),
  })) {
    const before = what === 'a sign-out' ? kept : await who.mint(who.acme)
    await change()
    await agree(before, `minted before: ${what}`)
    await agree(kept, `minted long before: ${what}`)
    if (what !== 'a sign-out') await agree(await who.mint(who.acme), `minted after: ${what}`)
  }
})
