/** Passkeys of people in the tests: registered, and answered with, by the JSON API. */

import { softwareAuthenticator } from './authenticator.js'
import type { Browser } from './browser.js'
import { issuer } from './service.js'

type Authenticator = ReturnType<typeof softwareAuthenticator>
type Lies = Parameters<Authenticator['get']>[1]

export const device = (settings: Partial<Parameters<typeof softwareAuthenticator>[0]> = {}) =>
  softwareAuthenticator({ origin: issuer, ...settings })

/** Where a challenge is had, and where it is answered. */
export const signIn = '/v1/passkey/sign-in'
export const secondStep = '/v1/session/second-factor/passkey'
export const stepUp = '/v1/session/step-up/passkey'

export async function optionsAt(browser: Browser, route: string, body?: object) {
  const answer = await browser.post(`${route}/options`, body)
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`)
  return answer.json()
}

/** A challenge, and its answer by the newest passkey that fits. */
export async function prove(browser: Browser, route: string, with_: Authenticator, lies: Lies = {}) {
  const response = with_.get(await optionsAt(browser, route), lies)
  return browser.post(route, { response })
}

/** A new passkey of who is signed in with this browser. */
export async function register(
  browser: Browser,
  with_: Authenticator,
  { name, firstStep = true, lies = {} }: { name?: string; firstStep?: boolean; lies?: Lies } = {},
) {
  const options = await optionsAt(browser, '/v1/passkeys', { first_step: firstStep })
  const response = with_.create(options, lies)
  return browser.post('/v1/passkeys', { ...(name !== undefined && { name }), response })
}
