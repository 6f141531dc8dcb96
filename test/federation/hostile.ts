/** A hostile provider for one test, and a browser that goes through it. */
import type { Test } from 'tap'
import { callbackOf, FormBrowser } from '../support/form-browser.js'
import { type HostileProviderOptions, startHostileProvider } from '../support/hostile-provider.js'
import type { Party } from './relying-party.js'

export const redirectUri = 'http://127.0.0.1:9/callback'
export const credentials = {
  clientId: 'mintmark',
  clientSecret: 'a secret: with +, % and é, longer than a hash',
}

export type Read = Record<string | number, unknown>
export const read = async (url: string, headers: Record<string, string> = {}) =>
  (await (await fetch(url, { headers })).json()) as Read

export async function hostile(t: Test, more: Partial<HostileProviderOptions> = {}) {
  const provider = await startHostileProvider({ ...credentials, redirectUri, ...more })
  t.teardown(() => provider.close())
  const party: Party = { ...credentials, issuer: provider.issuer, redirectUri }
  const browser = new FormBrowser(redirectUri)
  return { provider, party, browse: async (url: URL) => callbackOf(await browser.open(url)) }
}
