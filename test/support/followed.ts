/** A real service with an application and a service key for the feed, and verifiers of @mintmark/verifier that follow it. */
import type { Test } from 'tap'
import { createVerifier, type RevocationOptions } from '../../packages/verifier/src/index.js'
import { application, serviceKey } from '../harness/world.js'
import { testDatabase } from './database.js'
import { appOrigin, type TestService, testService } from './service.js'

export async function followedService(t: Test, env: Record<string, string> = {}) {
  const database = await testDatabase(t)
  const { sql } = database
  const { key } = await serviceKey(sql, { scopes: ['feed', 'introspect'], audiences: ['api'] })
  await application(sql, { clientId: 'spa', audiences: ['api'], origins: [appOrigin] })
  const service = await testService(t, { env, database })
  const mint = async (email: string) => {
    const { browser, user } = await service.signUp(email)
    const answer = await browser.at(service.app, appOrigin).post('/v1/token', {})
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return { browser, user, token: answer.json().access_token as string }
  }
  return { service, sql, key, mint }
}

/** The service listens elsewhere than its issuer says: what is asked for there is asked here. */
export const reached = (service: TestService) => (url: string, init?: RequestInit) =>
  fetch(url.replace(service.issuer, service.addresses.main), init)

export function following(t: Test, service: TestService, revocation: RevocationOptions, serviceKey?: string) {
  const { issuer } = service
  const key = serviceKey === undefined ? {} : { serviceKey }
  const verifier = createVerifier({ issuer, audience: 'api', ...key, revocation, fetch: reached(service) })
  t.teardown(() => verifier.close())
  return verifier
}

/** The code of a verdict, or `ok`. */
export const codeOf = (verdict: { readonly ok: true } | { readonly ok: false; readonly code: string }) =>
  verdict.ok ? 'ok' : verdict.code
