/** The reference as generators of clients read it: every shape has a name, and every name leads somewhere. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { parse } from 'yaml'
import { root } from '../support/project.mjs'

const text = readFileSync(join(root, 'openapi.yaml'), 'utf8')
const document = parse(text)
const schemas = Object.keys(document.components.schemas)
const operations = Object.values<object>(document.paths).flatMap(methods => Object.values(methods))
const operationIds: string[] = operations.map(({ operationId }) => operationId)

/** Every object of the document, with the keys that lead to it. */
function* nodes(node: unknown, path: readonly string[] = []): Generator<[Record<string, unknown>, string[]]> {
  if (typeof node !== 'object' || node === null) return
  yield [node as Record<string, unknown>, [...path]]
  for (const [key, value] of Object.entries(node)) yield* nodes(value, [...path, key])
}

const isNamed = (path: readonly string[]) =>
  path.length === 3 && path[0] === 'components' && path[1] === 'schemas'

test('no object has its schema in place: each is a component with a name', async t => {
  const inline = [...nodes(document)].filter(
    ([node, path]) => (node.type === 'object' || 'additionalProperties' in node) && !isNamed(path),
  )
  t.same(
    inline.map(([, path]) => path.join('/')),
    [],
  )
})

test('no body and no answer has a schema in place, but a text of another type than JSON', async t => {
  for (const [{ schema }, path] of nodes({ paths: document.paths })) {
    if (!path.includes('content') || !schema) continue
    const inPlace = !('$ref' in (schema as object))
    t.equal(
      inPlace,
      /^(text\/(html|plain)|application\/jwk-set\+jwt)$/.test(path.at(-1) ?? ''),
      path.join('/'),
    )
  }
})

test('every reference within the document resolves, and every named schema is used', async t => {
  const used = new Set<string>()
  for (const [{ $ref }, path] of nodes(document)) {
    if ($ref === undefined) continue
    const [start, name = ''] = String($ref).split(/(?<=^#\/components\/schemas\/)/)
    t.equal(start, '#/components/schemas/', path.join('/'))
    t.ok(schemas.includes(name), `${path.join('/')} refers to ${name}`)
    used.add(name)
  }
  t.same(
    schemas.filter(name => !used.has(name)),
    [],
  )
})

test('a name is in PascalCase, and one of its own in every language', async t => {
  const folded = schemas.map(name => name.toLowerCase())
  t.equal(new Set(folded).size, schemas.length, 'files of a file system that takes no notice of case')
  for (const name of schemas) {
    t.match(name, /^[A-Z][a-z]+([A-Z][a-z]*)*$/, name)
    // Go's generators make a function `NewUser` for a type `User`.
    t.notMatch(name, /^New/, name)
  }
  // They also make a constant of a package for each value of a named enumeration.
  const values = Object.values<{ enum?: string[] }>(document.components.schemas).flatMap(
    one => one.enum ?? [],
  )
  t.equal(new Set(values).size, values.length, 'no value is in two enumerations with a name')
  t.ok(values.length > 5)
})

test('no type is named for a status, a number or a place in the document', async t => {
  for (const name of schemas) t.notMatch(name, /\d|Response|Inline|Body$|Item$|^Def/, name)
})

test('every operation has a readable name of its own, and its body is named for it', async t => {
  t.equal(new Set(operationIds).size, operations.length)
  for (const { operationId, requestBody } of operations) {
    t.match(operationId, /^[a-z]+([A-Z][a-z]*)*$/, operationId)
    for (const { schema } of Object.values<{ schema: { $ref: string } }>(requestBody?.content ?? {})) {
      const named = `${operationId[0].toUpperCase()}${operationId.slice(1)}Request`
      t.equal(schema.$ref, `#/components/schemas/${named}`)
    }
  }
})

test('the shapes that clients speak of have these names', async t => {
  const shapes = [
    ...['AccessToken', 'Application', 'AuditEvent', 'Device', 'Identity', 'Introspection', 'Invitation'],
    ...['JsonWebKeySet', 'Member', 'Problem', 'Provider', 'Role', 'ServiceKey', 'Session', 'SignedIn'],
    ...['SigningKey', 'Tenant', 'User', 'WhoAmI'],
    ...['ApplicationPage', 'AuditEventPage', 'DevicePage', 'InvitationPage', 'MemberPage', 'ServiceKeyPage'],
    ...['SessionPage', 'TenantPage', 'UserPage'],
  ]
  t.same(
    shapes.filter(name => !schemas.includes(name)),
    [],
  )
})

test('X-Mintmark is a way to authenticate, not an argument of each call', async t => {
  const { mintmarkHeader } = document.components.securitySchemes
  t.match(mintmarkHeader, { type: 'apiKey', in: 'header', name: 'X-Mintmark' })
  for (const [path, methods] of Object.entries<object>(document.paths)) {
    for (const [method, { parameters = [], security }] of Object.entries(methods)) {
      const route = `${method} ${path}`
      const headers = parameters.filter((one: { in: string }) => one.in === 'header')
      for (const { name, required } of headers)
        t.ok(/^(Prefer|Idempotency-Key)$/.test(name) && !required, `${route}: ${name}`)
      const changes = method !== 'get' && !path.startsWith('/v1/federation/')
      const byBrowser = security.filter(
        (way: object) => !('serviceKey' in way || 'serviceKeyAsClient' in way),
      )
      for (const way of byBrowser) t.equal('mintmarkHeader' in way, changes, route)
      if (changes && path !== '/v1/introspect') t.ok(byBrowser.length > 0, route)
    }
  }
})

test('no number of an answer loses digits in a language that has several kinds of them', async t => {
  for (const [node, path] of nodes(document.components.schemas)) {
    const name = path.at(-1) ?? ''
    if (node.type === 'number') t.equal(node.format, 'double', path.join('/'))
    if (/(_at|_time|_seen|^exp|^iat|since)$/.test(name) && node.type === 'integer')
      t.equal(node.format, 'int64', path.join('/'))
  }
})

test('YAML 1.1 reads the same document as YAML 1.2', async t => {
  t.same(parse(text, { version: '1.1' }), document)
})
