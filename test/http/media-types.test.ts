/** Every documented route answers in the status and the media type that openapi.yaml names, whatever it is sent. */

import { readFileSync } from 'node:fs'
import tap, { test } from 'tap'
import { parse } from 'yaml'
import { pendingSignIn, withFactor } from '../harness/factors.js'
import { acceptable, encoded, headersFrom, listRoutes, pathFor, type Route } from '../harness/routes.js'
import { administrator, type Person, person, serviceKey } from '../harness/world.js'
import { freshNetworkAddress } from '../support/browser.js'
import { rootUrl } from '../support/project.mjs'
import { issuer, testService } from '../support/service.js'

interface Documented {
  readonly responses: Record<string, { readonly content?: Record<string, unknown> }>
}
const { paths } = parse(readFileSync(new URL('openapi.yaml', rootUrl), 'utf8')) as {
  readonly paths: Record<string, Record<string, Documented>>
}
const documentedAs = ({ method, url }: Route) =>
  paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]

const service = await testService(tap)
const { sql } = service.database
const routes = (await listRoutes()).filter(documentedAs)

interface Asked {
  /** In the place of the first parameter of the path, where there is one. */
  readonly parameter?: string
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly payload?: string
  readonly anonymous?: true
}
/** A request like the one that is accepted, with something else in one place. */
const requests: Record<string, Asked> = {
  'as documented': {},
  'as documented, by a browser that would rather have a page': { headers: { accept: 'text/html' } },
  'by nobody': { anonymous: true },
  'with a parameter of 300 characters in the path': { parameter: 'x'.repeat(300) },
  'with a broken escape in the path': { parameter: '%E0%A4%A' },
  'with a parameter in the query that nobody knows': { query: '?nobody=knows' },
  'with a body that is no JSON': { payload: '{', headers: { 'content-type': 'application/json' } },
  'with a body of another type': { payload: 'x', headers: { 'content-type': 'text/plain' } },
  'with a body that is too large': {
    payload: JSON.stringify('x'.repeat(70_000)),
    headers: { 'content-type': 'application/json' },
  },
  'with more header fields than it takes': {
    headers: Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`x-${at}`, '1'])),
  },
  'from an origin that nobody knows': { headers: { origin: 'https://elsewhere.example' } },
}

async function send(route: Route, me: Person, { parameter, query = '', headers, payload, anonymous }: Asked) {
  const segments = (await pathFor(sql, route, me)).split('/')
  const at = route.url.split('/').findIndex(segment => segment.startsWith(':'))
  if (parameter !== undefined && at >= 0) segments[at] = parameter
  const given = encoded(route, await acceptable[route.key]?.(sql, me))
  const wanted = { scopes: ['introspect', 'feed'], audiences: ['mintmark'] }
  const second = route.key === 'POST /v1/session/second-factor' && !anonymous
  if (second) await withFactor(sql, me)
  const pending = second ? await pendingSignIn(sql, me.id) : undefined
  const key = route.forServices ? (await serviceKey(sql, wanted)).key : undefined
  return service.app.inject({
    method: route.method as 'GET',
    url: `${segments.join('/')}${query}`,
    remoteAddress: freshNetworkAddress(),
    headers: {
      ...headersFrom(key ? null : issuer, key || anonymous ? undefined : me.cookie, pending),
      ...given.headers,
      ...(key && !anonymous && { authorization: `Bearer ${key}` }),
      ...headers,
    },
    ...(payload === undefined ? given.payload && { payload: given.payload } : { payload }),
  })
}

const notAccepted: string[] = []
for (const route of routes) {
  test(`${route.key} answers as the document says`, async t => {
    for (const [name, asked] of Object.entries(requests)) {
      const me = route.url.startsWith('/v1/admin/') ? await administrator(sql) : await person(sql)
      const { statusCode, headers, body } = await send(route, me, asked)
      const answer = documentedAs(route)?.responses[statusCode]
      t.ok(answer, `${name}: ${statusCode} is documented: ${body.slice(0, 200)}`)
      if (name === 'as documented' && statusCode >= 400) notAccepted.push(route.key)
      const types = Object.keys(answer?.content ?? {})
      const type = String(headers['content-type'] ?? '').replace(/; charset=utf-8$/, '')
      if (types.length === 0) t.equal(body, '', `${name}: ${statusCode} has no body`)
      else
        t.ok(types.includes(type), `${name}: ${statusCode} is ${type}, and the document says ${types.join()}`)
    }
  })
}

test('every documented route is asked, and nearly every one in a way that it accepts', t => {
  const documented = Object.values(paths).flatMap(methods => Object.keys(methods))
  t.equal(routes.length, documented.length)
  t.same(
    notAccepted,
    [
      'GET /v1/federation/:provider',
      'GET /v1/federation/:provider/callback',
      'POST /v1/federation/:provider/back-channel-logout',
      'POST /v1/passkey/sign-in',
      'POST /v1/session/second-factor/passkey/options',
      'POST /v1/session/second-factor/passkey',
    ],
    'their provider is not there, and no passkey was asked for',
  )
  t.end()
})
