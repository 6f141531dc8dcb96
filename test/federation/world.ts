/** A service with providers, and a browser that goes to one and comes back. */
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { noRequest } from '../../src/audit/events.js'
import { endingSessions } from '../../src/boot/session-stores.js'
import { presets } from '../../src/federation/presets.js'
import { type ProviderChange, type ProviderConfig, secretSealedAs } from '../../src/federation/provider.js'
import type { ProviderStore } from '../../src/federation/store.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresProviderStore } from '../../src/store/postgres/federation/provider-store.js'
import { Browser } from '../support/browser.js'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.js'
import { issuer, type TestService, type TestServiceOptions, testService } from '../support/service.js'

export const clientId = 'mintmark'
export const clientSecret = 'a secret that only the two of them know'
export const operator = { user: undefined, context: noRequest }

export const declared: Omit<ProviderConfig, 'issuer'> = {
  id: 'acme',
  name: 'Acme',
  kind: 'openid',
  clientId,
  scopes: ['openid', 'email', 'profile'],
  hosts: [],
  directories: [],
  signUp: 'open',
  signUpDomains: [],
  authoritativeFor: [],
  claims: { name: 'name' },
  grants: [],
  countsAsProof: false,
  aal2: [],
}

export interface FederationWorld {
  readonly service: TestService
  readonly provider: HostileProvider
  readonly store: ProviderStore
  /** Another instance of the service. */
  beside(): Promise<TestService>
  change(to: ProviderChange): Promise<void>
  add(
    declaration: Partial<ProviderConfig> & Pick<ProviderConfig, 'id' | 'issuer'>,
    secret?: string,
  ): Promise<void>
  visitor(at?: TestService): Visitor
}

export async function federationWorld(
  t: Test,
  options: Partial<ProviderConfig> = {},
  kind: HostileProvider['kind'] = 'openid',
  onto: Pick<TestServiceOptions, 'database' | 'env'> = {},
): Promise<FederationWorld> {
  const provider = await startHostileProvider({ clientId, clientSecret, kind })
  t.teardown(() => provider.close())
  const service = await testService(t, onto)
  const database = new Database(service.database.address, { connections: 2 })
  t.teardown(() => database.close())
  const sessionStore = onto.env?.SESSION_STORE === 'redis' ? 'redis' : 'postgres'
  const store = postgresProviderStore(database, endingSessions({ sessionStore }))
  const { keys } = await loadKeyEncryptionKeys(`${service.folder}/keys`)
  const world: FederationWorld = {
    service,
    provider,
    store,
    beside: () => testService(t, { beside: service }),
    visitor: (at = service) => new Visitor(at),
    async change(to) {
      const { id = declared.id } = options
      const answer = await store.change(id, to, undefined, operator)
      if (typeof answer === 'string') throw new Error(answer)
    },
    async add(more, secret = clientSecret) {
      const declaration = { ...declared, ...more }
      const sealed = keys.seal(Buffer.from(secret), secretSealedAs(service.issuer, declaration.id))
      const answer = await store.create(declaration, sealed, operator)
      if (typeof answer === 'string') throw new Error(answer)
    },
  }
  const shape =
    kind === 'github'
      ? { kind: 'github' as const, scopes: [...presets.github.scopes], issuer: provider.url }
      : { issuer: provider.issuer }
  await world.add({ id: declared.id, ...shape, ...options })
  return world
}

/** Cookies of every name, navigations instead of fetches: what a person's browser does. */
export class Visitor {
  readonly service: TestService
  readonly cookies = new Map<string, string>()
  address = new Browser({} as never, null).address

  constructor(service: TestService) {
    this.service = service
  }

  /** The same cookies at another instance. */
  at(service: TestService): Visitor {
    const other = new Visitor(service)
    for (const [name, value] of this.cookies) other.cookies.set(name, value)
    return other
  }

  /** A browser for scripts that has the session of this one. */
  get scripts(): Browser {
    return this.service.browser().withCookie(this.cookies.get('__Host-session'))
  }

  open(url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.#send('GET', url, undefined, { 'sec-fetch-site': 'cross-site', ...headers })
  }

  /** A form of a hosted page. */
  submit(url: string, fields: Record<string, string>): Promise<LightMyRequestResponse> {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      origin: this.service.issuer,
      'sec-fetch-site': 'same-origin',
    }
    return this.#send('POST', url, new URLSearchParams(fields).toString(), headers)
  }

  /** Through the provider; answers what the callback answered. */
  async signIn(provider = 'acme', query = ''): Promise<LightMyRequestResponse> {
    return this.comeBack(await this.go(provider, query))
  }

  /** To the provider: the address that it was sent to. */
  async go(provider = 'acme', query = ''): Promise<string> {
    const answer = await this.open(`/v1/federation/${provider}${query}`)
    if (answer.statusCode !== 303)
      throw new Error(`no way to the provider: ${answer.statusCode} ${answer.body}`)
    return String(answer.headers.location)
  }

  async comeBack(address: string): Promise<LightMyRequestResponse> {
    return this.open(await callbackFrom(address, this.service.issuer))
  }

  async #send(
    method: 'GET' | 'POST',
    url: string,
    payload: string | undefined,
    more: Record<string, string>,
  ) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...more, ...(cookie !== '' && { cookie }) }
    const answer = await this.service.app.inject({
      method,
      url,
      remoteAddress: this.address,
      headers,
      ...(payload !== undefined && { payload }),
    })
    for (const { name, value, maxAge } of answer.cookies) {
      if (maxAge === 0) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }
}

/** What the provider sends the browser to, without the issuer's origin. */
export async function callbackFrom(address: string, to = issuer): Promise<string> {
  const answer = await fetch(address, { redirect: 'manual' })
  const location = answer.headers.get('location')
  if (!location?.startsWith(`${to}/`))
    throw new Error(`the provider sent no one back: ${answer.status} ${await answer.text()}`)
  return location.slice(to.length)
}

/** The code of the refusal that a page shows. */
export const codeOf = (page: LightMyRequestResponse): string | undefined =>
  /<main data-code="([a-z_]+)"/.exec(page.body)?.[1]

/** Where the button of a page leads that only leads on. */
export function buttonOf(page: LightMyRequestResponse): string {
  const href = /<a class="button" href="([^"]+)"/.exec(page.body)?.[1]
  if (href === undefined) throw new Error(`no button: ${page.statusCode} ${page.body}`)
  return href.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
}
