/** What is wrong with a request is said in the service's own words, wherever it is: in the body, the query or the path. */
import tap, { test } from 'tap'
import { headersFrom } from '../harness/routes.js'
import { administrator } from '../harness/world.js'
import { issuer, testService } from '../support/service.js'

const service = await testService(tap)
const me = await administrator(service.database.sql)
const ask = (method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object) =>
  service.app.inject({ method, url, headers: headersFrom(issuer, me.cookie), ...(payload && { payload }) })

const long = 'x'.repeat(101)
const user = `/v1/admin/users/${me.id}`
const rows: [string, Awaited<ReturnType<typeof ask>>, object[]][] = []
const says = async (
  request: [method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object],
  ...faults: [pointer: string, detail: string][]
) => {
  const expected = faults.map(([pointer, detail]) => ({ pointer, detail }))
  rows.push([`${request.join(' ')} ${JSON.stringify(request[2] ?? '')}`, await ask(...request), expected])
}

const form = 'Has an invalid format.'
await says(['GET', '/v1/admin/users?limit=0'], ['/limit', form])
await says(['GET', '/v1/admin/users?limit=1&limit=2'], ['/limit', 'Must be a string.'])
await says(['GET', '/v1/admin/users?nobody=knows'], ['/nobody', 'Unknown name.'])
await says(['GET', '/v1/admin/users/me'], ['/user', form])
await says(['GET', '/v1/admin/tenants/-/members'], ['/tenant', form])
await says(['POST', '/v1/admin/users', {}], ['', '`email` is missing.'])
await says(['POST', '/v1/admin/users', []], ['', 'Must be an object.'])
await says(['POST', '/v1/admin/users', { email: 7 }], ['/email', 'Must be a string.'])
await says(['POST', '/v1/admin/tenants', { name: '' }], ['/name', 'Must have at least 1 character.'])
await says(['POST', '/v1/admin/tenants', { name: long }], ['/name', 'Must have at most 100 characters.'])
await says(['POST', '/v1/admin/tenants', { name: 'a\nb' }], ['/name', form])
await says(['POST', '/v1/admin/tenants', { name: 'a\ud800b' }], ['/name', form])
await says(['POST', '/v1/admin/tenants', { name: 'a', 'b/c~d': 1 }], ['/b~1c~0d', 'Unknown name.'])
await says(['PATCH', user, { state: 'gone' }], ['/state', 'Must be `active` or `disabled`.'])
await says(['PATCH', user, { name: 7 }], ['/name', 'Must be a string or null.'])
await says(['PATCH', user, { name: long }], ['/name', 'Must have at most 100 characters.'])
const twice = { platform_roles: ['administrator', 'administrator'] }
await says(['PATCH', user, twice], ['/platform_roles', 'Must not contain an item twice.'])
const key = { name: 'A service', scopes: ['users:read'] }
const keys = '/v1/admin/service-keys'
await says(['POST', keys, { ...key, scopes: [] }], ['/scopes', 'Must have at least 1 item.'])
await says(['POST', keys, { ...key, scopes: 'users:read' }], ['/scopes', 'Must be an array.'])
await says(['POST', keys, { ...key, expires_in: 1 }], ['/expires_in', 'Must be at least 60.'])
await says(['POST', keys, { ...key, expires_in: 1e9 }], ['/expires_in', 'Must be at most 315360000.'])
await says(['POST', keys, { ...key, expires_in: 60.5 }], ['/expires_in', 'Must be an integer.'])
const audiences = Array.from({ length: 51 }, (_, at) => `a${at}`)
await says(['POST', keys, { ...key, audiences }], ['/audiences', 'Must have at most 50 items.'])
const compromise = '/v1/admin/signing-keys/compromise'
await says(['POST', compromise, { all: false }], ['/all', 'Must be `true`.'])
await says(['POST', compromise, { dry_run: 1 }], ['/dry_run', 'Must be true or false.'])

for (const [name, answer, faults] of rows) {
  test(`what is wrong is named: ${name}`, async t => {
    t.equal(answer.statusCode, 400)
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.match(answer.json(), { code: 'invalid_request', errors: faults })
    t.equal(answer.json().errors.length, faults.length)
  })
}
