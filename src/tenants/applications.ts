/** Applications: which browser origins are registered, to whom each belongs, and what its owner may do here. */
import { parse } from 'tldts'
import type { Actor } from '../audit/events.js'
import { type Authority, mayAll, platformPermissions } from '../core/authority.js'
import type { Page, PageRequest } from '../core/page.js'
import type { ClientId } from '../core/principal.js'

/** The hosted pages: their origin is the issuer. */
export const hostedPages = 'mintmark' as ClientId

/** `account`: its origins may use the sign-in and password routes. `admin`: those of operators. */
export type Grant = 'account' | 'admin'

export interface NewApplication {
  readonly clientId: string
  readonly name: string
  /** Exact origins, as a browser spells them. An origin belongs to one application. */
  readonly origins: readonly string[]
  /** Where the hosted pages may send users back to: whole addresses, each of one of these origins. */
  readonly returnAddresses: readonly string[]
  /** The first is the default. */
  readonly audiences: readonly string[]
  /** 60 to 900. */
  readonly tokenLifetimeSeconds: number
}

export interface Application extends NewApplication {
  readonly state: 'enabled' | 'disabled'
  readonly grants: readonly Grant[]
  /** NumericDate. */
  readonly createdAt: number
}

export type ApplicationChange = Partial<Omit<Application, 'clientId' | 'createdAt'>>

export interface OriginOwner {
  readonly clientId: ClientId
  readonly name: string
  readonly grants: readonly Grant[]
  readonly returnAddresses: readonly string[]
}

/**
 * Whether a caller may give these grants, or change an application that has them. A page with either sees passwords or
 * acts for administrators: anybody who decides what it is could do everything.
 */
export function mayGiveGrants(held: Authority, grants: readonly Grant[]): boolean {
  return grants.length === 0 || mayAll(held, platformPermissions)
}

/** Rules: an application with grants is made, changed and removed only by who may give them in that moment. */
export interface ApplicationStore {
  /** All registered origins of enabled applications. */
  origins(): Promise<ReadonlyMap<string, OriginOwner>>
  create(
    application: NewApplication & { readonly grants?: readonly Grant[] },
    actor: Actor,
  ): Promise<Application | 'forbidden' | 'client-id-taken' | { originTaken: string } | 'repeated-differently'>
  read(clientId: string): Promise<Application | undefined>
  list(page: PageRequest): Promise<Page<Application>>
  /** Lists that are given replace those before. */
  change(
    clientId: string,
    to: ApplicationChange,
    actor: Actor,
  ): Promise<Application | 'unknown' | 'forbidden' | { originTaken: string }>
  /** The hosted pages are an application of their own and stay. */
  remove(clientId: string, actor: Actor): Promise<'removed' | 'unknown' | 'forbidden'>
}

/** Every fault of an application that is about to be registered, each with its fix; none when it is sound. */
export function faultsOf(application: NewApplication, issuer: string): string[] {
  const faults: string[] = []
  if (!/^[a-z0-9][a-z0-9._-]{1,63}$/.test(application.clientId)) {
    faults.push(
      'the client id must be 2 to 64 characters of a-z, 0-9, ".", "_" and "-", starting with a letter or digit',
    )
  }
  if (application.name.trim() === '' || application.name.length > 100 || /\p{Cc}/u.test(application.name)) {
    faults.push('the name must be 1 to 100 printable characters')
  }
  if (application.audiences.length === 0) faults.push('add at least one audience (--audience)')
  faults.push(...audienceFaults(application.audiences))
  const { tokenLifetimeSeconds } = application
  if (!Number.isInteger(tokenLifetimeSeconds) || tokenLifetimeSeconds < 60 || tokenLifetimeSeconds > 900) {
    faults.push('the token lifetime must be a whole number of seconds from 60 to 900')
  }
  const { origins, returnAddresses } = application
  faults.push(...origins.flatMap(origin => originFault(origin, issuer) ?? []))
  faults.push(...returnAddresses.flatMap(address => returnAddressFault(address, origins) ?? []))
  return faults
}

export function audienceFaults(audiences: readonly string[]): string[] {
  const faults: string[] = []
  for (const audience of audiences)
    if (!/^[\x21-\x7e]{1,200}$/.test(audience))
      faults.push(
        `the audience ${JSON.stringify(audience)} has white space or is too long: write 1 to 200 visible ASCII characters`,
      )
  return faults
}

/** It is compared by exact match: one that a browser spells differently would never match. */
function returnAddressFault(address: string, origins: readonly string[]): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || url.href !== address || address.includes('#') || url.username !== '') {
    return `${JSON.stringify(address)} is not a return address: write it in full, as a browser does, without #, like https://app.example.com/`
  }
  return origins.includes(url.origin)
    ? undefined
    : `${address} is not at one of the application's origins: add ${url.origin} (--origin)`
}

/** Why an origin cannot be registered. Same-site after the public suffix list, scheme included (RFC 6265bis, 5.2). */
export function originFault(origin: string, issuer: string): string | undefined {
  if (!URL.canParse(origin) || new URL(origin).origin !== origin || !/^https?:/.test(origin)) {
    return `${JSON.stringify(origin)} is not an origin: write it as a browser does, like https://app.example.com`
  }
  if (origin === issuer)
    return `${origin} is the issuer's origin and belongs to the hosted pages: leave it out`
  if (site(origin) !== site(issuer)) {
    return `${origin} is not same-site with the issuer ${issuer}, so browsers would not send the session cookie: serve the application on the issuer’s site`
  }
  return undefined
}

function site(origin: string): string {
  const { protocol, hostname } = new URL(origin)
  // A final dot is another site to a browser, though not to the suffix list.
  if (hostname.endsWith('.')) return `${protocol}//${hostname}`
  const { domain, isIp } = parse(hostname, { allowPrivateDomains: true })
  return `${protocol}//${isIp || !domain ? hostname : domain}`
}

export type Applications = ReturnType<typeof createApplications>

export interface ApplicationParts {
  readonly store: ApplicationStore
  readonly issuer: string
  /** Instances look at the origins at once. */
  readonly changed: () => void
}

/** What operators do with applications: judged, stored, and told to every instance. */
export function createApplications({ store, issuer, changed }: ApplicationParts) {
  const { list, read } = store
  const announced = <T>(answer: T): T => {
    if (answer === 'removed' || (typeof answer === 'object' && answer && 'clientId' in answer)) changed()
    return answer
  }
  return {
    list,
    read,

    async create(application: NewApplication & { readonly grants: readonly Grant[] }, actor: Actor) {
      const faults = faultsOf(application, issuer)
      return faults.length > 0 ? { faults } : announced(await store.create(application, actor))
    },

    /** A change is judged together with what stays. */
    async change(clientId: string, to: ApplicationChange, actor: Actor) {
      const before = await read(clientId)
      if (!before) return 'unknown' as const
      const faults = faultsOf({ ...before, ...to }, issuer)
      return faults.length > 0 ? { faults } : announced(await store.change(clientId, to, actor))
    },

    remove: async (clientId: string, actor: Actor) => announced(await store.remove(clientId, actor)),
  }
}

/** As JSON shows it. */
export function describeApplication({ clientId, tokenLifetimeSeconds, createdAt, ...rest }: Application) {
  const { name, state, origins, returnAddresses, audiences, grants } = rest
  return {
    client_id: clientId,
    name,
    state,
    origins: [...origins],
    return_addresses: [...returnAddresses],
    audiences: [...audiences],
    token_lifetime_seconds: tokenLifetimeSeconds,
    grants: [...grants],
    created_at: createdAt,
  }
}
