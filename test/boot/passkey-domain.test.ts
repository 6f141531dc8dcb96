/** The domain of passkeys: the first start records it, and no later one changes it. */
import { test } from 'tap'
import { StartRefused } from '../../src/core/errors.js'
import { device, prove, register, signIn } from '../support/passkeys.js'
import { testService } from '../support/service.js'

const id = 'http://id.example.localhost:4000'

test('a start with another domain than the first is refused, with both and the remedy', async t => {
  const first = await testService(t, { env: { ISSUER: id } })
  const [row] = await first.database.sql`select passkey_rp_id as id from service`
  t.equal(row?.id, 'id.example.localhost')
  const other = { ISSUER: id, MINTMARK_PASSKEY_RP_ID: 'example.localhost' }
  const refused = await testService(t, { beside: first, env: other }).catch(error => error)
  t.ok(refused instanceof StartRefused)
  t.match(refused.message, 'the passkeys of this database belong to ')
  t.match(
    refused.message,
    /belong to id\.example\.localhost.* is example\.localhost: set .* to id\.example\.localhost/,
  )
  const [after] = await first.database.sql`select passkey_rp_id as id from service`
  t.same(after, row)
})

test('under a parent domain passkeys work at the host of the issuer, and at no other', async t => {
  const service = await testService(t, { env: { ISSUER: id, MINTMARK_PASSKEY_RP_ID: 'example.localhost' } })
  const { browser } = await service.signUp('ada@example.com')
  const own = device({ origin: id })
  t.equal((await register(browser, own)).statusCode, 201)
  t.equal(own.held[0]?.rpId, 'example.localhost')
  t.equal((await prove(service.browser(), signIn, own)).statusCode, 201)
  const sibling = { origin: 'http://app.example.localhost:4000' }
  t.equal((await prove(service.browser(), signIn, own, sibling)).json().code, 'passkey_failed')
})
