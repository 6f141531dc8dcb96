/** H3: every route that is registered, for every kind of caller, answers what the table says. */
import type { LightMyRequestResponse } from 'fastify'
import tap, { test } from 'tap'
import { freshNetworkAddress } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { appOrigin, issuer, testService } from '../support/service.js'
import {
  accountOrigin,
  type Caller,
  callerNames,
  callers,
  exceptions,
  expected,
  readableBy,
} from './callers.js'
import { acceptable, asksToSignIn, codeOf, encoded, headersFrom, listRoutes, pathFor } from './routes.js'
import { application, person } from './world.js'

const database = await testDatabase(tap)
const { sql } = database
await application(sql, { clientId: 'spa', origins: [appOrigin] })
await application(sql, { clientId: 'portal', origins: [accountOrigin], grants: ['account'] })
const service = await testService(tap, { database })
const { app } = service
const routes = await listRoutes()

/** `DELETE /v1/sessions/:id` ends the session that asks here, which is signing out. */
const setsCookie = new Set([
  'POST /v1/session',
  'POST /v1/password/reset',
  'POST /password/reset',
  'POST /v1/sign-up/verify',
  'POST /v1/session/step-up',
  'POST /v1/session/second-factor',
  'POST /v1/passkey/sign-in/options',
  'POST /v1/session/step-up/passkey',
  'DELETE /v1/session/second-factor',
  'POST /v1/invitations/sign-up',
  'PUT /v1/password',
  'DELETE /v1/session',
  'DELETE /v1/sessions/:id',
  'POST /sign-in',
  'POST /sign-out',
  'POST /step-up',
  'POST /sign-up/verify',
  'POST /invitations/sign-up',
  'POST /password',
  'POST /devices/end',
  'POST /second-step',
  'POST /second-step/cancel',
])

type Cookie = LightMyRequestResponse['cookies'][number]

for (const route of routes) {
  const { key, method, url } = route
  // A HEAD is its GET without a body: held to the same row.
  const row = expected(route)
  test(`H3: ${key} answers each kind of caller as the table says`, async t => {
    if (!row) throw new Error('the route says nowhere whom it is for, and the table has no row for it')
    for (const name of callerNames) {
      const { origin, prepare, key: keyOf, pending: pendingOf }: Caller = callers[name]
      const me = await person(sql)
      const { payload, headers } = encoded(route, await acceptable[key]?.(sql, me))
      const bearer = await keyOf?.(sql)
      const cookie = await prepare(sql, me)
      const pending = await pendingOf?.(sql, me)
      const answer = await app.inject({
        method: method as 'GET',
        url: await pathFor(sql, route, me),
        remoteAddress: freshNetworkAddress(),
        headers: {
          ...headersFrom(origin, cookie, pending),
          ...headers,
          ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        },
        ...(payload && { payload }),
      })
      const [status, word] = String(row[name]).split(' ')
      t.equal(answer.statusCode, Number(status), name)
      if (status === '303') t.equal(answer.headers.location, word, name)
      else if (word && method !== 'HEAD') t.equal(codeOf(answer), word, name)

      const allowed = answer.headers['access-control-allow-origin']
      const publicDocument = url.startsWith('/.well-known/')
      if (publicDocument) t.equal(allowed, '*', 'anyone may read the public keys')
      else if (origin !== null && origin !== issuer) {
        const readable = readableBy(key.replace(/^HEAD /, 'GET ')).includes(origin)
        t.equal(allowed, readable ? origin : undefined, `${name} may ${readable ? '' : 'not '}read it`)
        t.equal(answer.headers['access-control-allow-credentials'], readable ? 'true' : undefined)
      } else if (url !== '*') t.notOk(allowed)
      if (publicDocument)
        t.notOk(answer.headers['access-control-allow-credentials'], 'and never with credentials')

      // Whoever is signed in owes no second step any more.
      const over = ({ name, maxAge }: Cookie) => name === '__Host-pending' && maxAge === 0
      const signedIn = answer.cookies.some(({ name }) => name === '__Host-session')
      const cookies = answer.cookies.filter(cookie => !(signedIn && over(cookie))).length
      const done = answer.statusCode < 300 || (status === '303' && !asksToSignIn(answer))
      const may = done && setsCookie.has(key) && !word?.startsWith('/step-up')
      t.equal(cookies, may ? 1 : 0, `${name}: ${may ? 'sets' : 'leaves'} the cookie`)
    }
  })
}

test('H3 is complete: exceptions and bodies are of routes that exist, and whatever takes members has a body', t => {
  const registered = new Set(routes.map(({ key }) => key))
  t.same(
    [...Object.keys(exceptions), ...Object.keys(acceptable)].filter(key => !registered.has(key)),
    [],
  )
  t.same(
    routes
      .filter(({ key, body }) => (body?.required?.length ?? 0) > 0 && !acceptable[key])
      .map(({ key }) => key),
    [],
  )
  t.ok(registered.size > 100)
  t.ok(routes.filter(route => !exceptions[route.key]).length > 60, 'most rows are derived')
  t.end()
})
