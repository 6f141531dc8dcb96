/** The commands about service keys: shown once, as the admin API has them, and in force at once. */
import tap, { test } from 'tap'
import { tenant } from '../harness/world.js'
import { operator } from '../support/operator.js'

const { service, prose, document, refusal, api } = await operator(tap)
const { sql } = service.database
const ask = (key: string, url = '/v1/admin/users') =>
  service.app.inject({ url, headers: { authorization: `Bearer ${key}` } })

test('a key is made, works at once, is listed without its secret, and is refused once it is revoked', async t => {
  const made = await document(
    t,
    'service-keys',
    'create',
    'Billing',
    '--scope',
    'users:read',
    'introspect',
    '--audience',
    'bills',
    '--days',
    '30',
  )
  const { key, ...shown } = made as { key: string; id: string; expires_at: number; created_at: number }
  t.match(key, /^mintmark_sk_/)
  t.equal(shown.expires_at - shown.created_at, 30 * 86_400)
  t.same(shown, await api(`service-keys/${shown.id}`))
  t.same(await document(t, 'service-keys', 'show', shown.id), shown)
  const told = await prose(t, 'service-keys', 'show', shown.id)
  t.match(told, new RegExp(`^key +${shown.id}\\nname +Billing\\nstate +active\\nscopes +`))
  t.notMatch(told, key.slice(-43))
  t.match(await refusal(t, 'service-keys', 'show', 'nobody'), /there is no service key nobody/)
  t.equal((await ask(key)).statusCode, 200)
  t.equal((await ask(key, '/v1/admin/tenants')).json().code, 'forbidden')
  const listed = await prose(t, 'service-keys', 'list')
  t.match(listed, new RegExp(`^KEY +NAME .*\\n${shown.id} +Billing +active +`))
  t.notMatch(listed, key.slice(-43), 'never again')
  t.equal(await prose(t, 'service-keys', 'revoke', shown.id), `Revoked ${shown.id}.\n`)
  t.same(await document(t, 'service-keys', 'revoke', shown.id), { id: shown.id, revoked: true })
  t.equal((await ask(key)).statusCode, 401)
})

test('a key may be bound to a tenant, and prose shows the key on a line of its own', async t => {
  const here = await tenant(sql)
  const text = await prose(t, 'service-keys', 'create', 'Acme', '--scope', 'tenants:read', '--tenant', here)
  const [said = '', key = ''] = text.split('\n')
  t.match(said, /^Created [\w-]{22} \(Acme\)\. Store it now/)
  t.equal((await ask(key, `/v1/admin/tenants/${here}/members`)).statusCode, 200)
  t.equal((await ask(key, '/v1/admin/tenants')).statusCode, 403)
})

test('what cannot be made or revoked is said, and nothing is made', async t => {
  const count = async () => (await sql`select from service_keys`).length
  const before = await count()
  const nowhere = '00000000-0000-4000-8000-000000000000'
  const create = ['service-keys', 'create', 'x', '--scope']
  t.match(await refusal(t, ...create, 'everything'), /there is no scope everything/)
  t.match(await refusal(t, ...create, 'introspect'), /audience/)
  t.match(await refusal(t, ...create, 'tenants:read', '--tenant', nowhere), /there is no tenant/)
  t.match(await refusal(t, ...create, 'users:read', '--days', '0'), /Write a number from 1 to 3650/)
  t.match(await refusal(t, 'service-keys', 'revoke', '-nothing'), /there is no service key -nothing/)
  t.equal(await count(), before)
})
