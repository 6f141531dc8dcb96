/** P4: where the truth cannot be reached nothing is accepted, nobody is signed out, and it heals by itself. */
import { type Test, test } from 'tap'
import { testDatabase } from '../support/database.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { goodPassword, testService } from '../support/service.js'

async function behindProxy(t: Test) {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const service = await testService(t, { database, address: proxy.address })
  const { browser } = await service.signUp('ada@example.com')
  return { proxy, service, browser }
}

test('Postgres stopped: session and token are 503, the cookie is kept, and it works again without a restart', async t => {
  const { proxy, service, browser } = await behindProxy(t)
  const cookie = browser.cookie
  await proxy.stop()
  for (let round = 0; round < 3; round++) {
    for (const answer of [await browser.get('/v1/session'), await browser.post('/v1/token', {})]) {
      t.equal(answer.statusCode, 503)
      t.equal(answer.json().code, 'unavailable')
      t.notOk(answer.headers['set-cookie'], 'a client must not drop its cookie over an outage')
      t.ok(answer.headers['retry-after'])
    }
  }
  t.equal((await browser.get('/.well-known/jwks.json')).statusCode, 200, 'the keys are served from memory')
  t.equal((await fetch(`${service.addresses.probes}/readyz`)).status, 503)
  t.equal((await fetch(`${service.addresses.probes}/healthz`)).status, 200)
  await proxy.resume()

  const startedAt = performance.now()
  let healed = await browser.get('/v1/session')
  while (healed.statusCode !== 200 && performance.now() - startedAt < 10_000)
    healed = await browser.get('/v1/session')
  t.equal(healed.statusCode, 200)
  t.comment(`back after ${Math.round(performance.now() - startedAt)} ms`)
  t.equal(browser.cookie, cookie)
  t.equal((await browser.post('/v1/token', {})).statusCode, 200)
  t.equal((await fetch(`${service.addresses.probes}/readyz`)).status, 200)
})

test('Postgres frozen: every request is answered 503 by its deadline, and works again once it thaws', async t => {
  const { proxy, browser } = await behindProxy(t)
  proxy.freeze()
  const startedAt = performance.now()
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      index % 2 ? browser.get('/v1/session') : browser.post('/v1/token', {}),
    ),
  )
  t.same(new Set(answers.map(answer => answer.statusCode)), new Set([503]))
  t.comment(`answered after ${Math.round(performance.now() - startedAt)} ms`)
  t.equal(
    (await browser.get('/v1/session')).statusCode,
    503,
    'the fresh connection meets a frozen server too',
  )
  await proxy.resume()
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  t.equal((await browser.post('/v1/token', {})).statusCode, 200)
})

test('a change whose answer is lost is 503 "not confirmed" and can be repeated', async t => {
  const { proxy, browser } = await behindProxy(t)
  proxy.cutNextCommit()
  const lost = await browser.delete('/v1/session')
  t.equal(lost.statusCode, 503)
  t.equal(lost.json().code, 'not_confirmed')
  t.notOk(lost.headers['set-cookie'], 'not cleared: it may still be alive')
  t.equal((await browser.delete('/v1/session')).statusCode, 204)
})

test('sign-in, sign-up and reset answer 503 while Postgres is away, never 401', async t => {
  const { proxy, service, browser } = await behindProxy(t)
  await proxy.stop()
  const stranger = service.browser()
  const token = 'A'.repeat(43)
  for (const answer of [
    await stranger.post('/v1/session', { email: 'ada@example.com', password: goodPassword }),
    await stranger.post('/v1/sign-up', { email: 'bob@example.com' }),
    await stranger.post('/v1/sign-up/verify', { token, password: goodPassword }),
    await stranger.post('/v1/password/forgot', { email: 'ada@example.com' }),
    await stranger.post('/v1/password/reset', { token, password: goodPassword }),
    await browser.put('/v1/password', {
      current_password: goodPassword,
      new_password: `${goodPassword} too`,
    }),
    await browser.delete('/v1/session'),
  ]) {
    t.equal(answer.statusCode, 503, answer.body)
    t.notOk(answer.headers['set-cookie'])
  }
})
