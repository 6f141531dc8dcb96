/** A provider as an operator declares it, and everything that can be wrong with the declaration. */
import { type Authority, may, mayAll, platformPermissions } from '../core/authority.js'
import { parseEmailAddress } from '../core/email-address.js'
import { isLoopback } from '../core/loopback.js'
import type { TenantId } from '../core/principal.js'

/** `github`: OAuth 2.0 without OpenID; who somebody is is asked of its API instead of read from an ID token. */
export type ProviderKind = 'openid' | 'github'

/** Who gets an account by signing in: anybody, addresses of some domains, who has an open invitation, nobody. */
export type SignUpPolicy = 'open' | 'domains' | 'invitation' | 'off'

/** Which claim is what. Nothing is taken from a claim that does not stand here, but for the address. */
export interface ClaimMap {
  readonly name?: string | undefined
  /** Where the provider says that the address is verified, if not in `email_verified`. Only `true` counts. */
  readonly email_verified?: string | undefined
}

/** Whose `claim` is (or has in its list) `value` has the role while they sign in so, and loses it otherwise. */
export interface ProviderGrant {
  readonly claim: string
  readonly value: string
  readonly tenant: TenantId
  /** The role's id. */
  readonly role: string
}

export interface ProviderConfig {
  /** Stands in addresses: `/v1/federation/<id>`. */
  readonly id: string
  /** On its button. */
  readonly name: string
  readonly kind: ProviderKind
  /**
   * As its own document says it, byte for byte (OpenID Connect Discovery 1.0, section 4.3). With `{tenantid}` in it,
   * as Microsoft's for several directories, it stands for one issuer a directory, of those in `directories`.
   */
  readonly issuer: string
  readonly clientId: string
  readonly scopes: readonly string[]
  /** Hosts beside the issuer's that its document may send us to. */
  readonly hosts: readonly string[]
  readonly directories: readonly string[]
  readonly signUp: SignUpPolicy
  readonly signUpDomains: readonly string[]
  /** Domains whose addresses are this provider's to give: an account with one is linked without more proof. */
  readonly authoritativeFor: readonly string[]
  readonly claims: ClaimMap
  readonly grants: readonly ProviderGrant[]
  /** Signing in here is an authentication of our own: it is fresh, and it steps up. */
  readonly countsAsProof: boolean
  /** `acr:<value>` and `amr:<value>`: what in an authentication that counts is worth `aal2`. */
  readonly aal2: readonly string[]
}

export interface Provider extends ProviderConfig {
  readonly state: 'enabled' | 'disabled'
  /** NumericDates. */
  readonly createdAt: number
  readonly changedAt: number
}

/** With what we prove ourselves to it, as the store keeps it. */
export interface ProviderWithSecret extends Provider {
  readonly sealedSecret: Buffer
  readonly kekId: string
}

export type ProviderChange = Partial<Omit<ProviderConfig, 'id' | 'kind'>> & {
  readonly state?: Provider['state']
}

/**
 * Whether a caller may declare this, or change and remove what is declared so. Anybody who decides what is authoritative for
 * a domain has every account with an address there, and who maps claims to roles gives the roles.
 */
export function mayConfigure(
  held: Authority,
  { authoritativeFor = [], grants = [] }: Partial<Pick<ProviderConfig, 'authoritativeFor' | 'grants'>>,
): boolean {
  if (authoritativeFor.length > 0 && !mayAll(held, platformPermissions)) return false
  return grants.length === 0 || may(held, 'tenants:write')
}

/** What nobody has said: nothing is allowed by it. */
const nothing: Omit<ProviderConfig, 'id' | 'name' | 'kind' | 'scopes'> = {
  issuer: '',
  clientId: '',
  hosts: [],
  directories: [],
  signUp: 'off',
  signUpDomains: [],
  authoritativeFor: [],
  claims: {},
  grants: [],
  countsAsProof: false,
  aal2: [],
}

/** What is known of a provider and what was said of it; without a name it has that of its id. */
export function withDefaults(
  id: string,
  known: Partial<ProviderConfig> & Pick<ProviderConfig, 'name' | 'kind' | 'scopes'>,
  given: ProviderChange,
): ProviderConfig {
  const declared = { ...nothing, ...known, ...given, id }
  return { ...declared, name: declared.name || id }
}

export const directoryPlace = '{tenantid}'

/** What a client secret is sealed to: moved to another provider's row it does not open. */
export const secretSealedAs = (issuer: string, provider: string) =>
  `federation client secret ${issuer} ${provider}`

export const redirectAddress = (issuer: string, provider: string) =>
  `${issuer}/v1/federation/${provider}/callback`

export const logoutAddress = (issuer: string, provider: string) =>
  `${issuer}/v1/federation/${provider}/back-channel-logout`

export const providerIdForm = /^[a-z0-9](-?[a-z0-9]){0,31}$/
/** Without control characters, and without those that turn the direction of what stands after them. */
export const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+$/u
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const visibleAscii = /^[\x21-\x7e]{1,200}$/

/** Each names its fix. `local`: the service itself runs on plain http on this machine, and so may its providers. */
export function faultsOf(wanted: ProviderConfig, local: boolean): string[] {
  const faults: string[] = []
  const refuse = (is: boolean, fault: string) => is && faults.push(fault)
  refuse(
    !providerIdForm.test(wanted.id),
    'the id must be 1 to 32 characters of a-z, 0-9 and single hyphens between them',
  )
  refuse(
    !printable.test(wanted.name) || wanted.name.length > 50,
    'the name must be 1 to 50 printable characters',
  )
  refuse(!visibleAscii.test(wanted.clientId), 'the client id must be 1 to 200 visible ASCII characters')
  faults.push(...issuerFaults(wanted, local))
  for (const scope of wanted.scopes)
    refuse(
      !/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(scope),
      `${JSON.stringify(scope)} is not a scope: write it without white space, like openid`,
    )
  refuse(
    wanted.kind === 'openid' && !wanted.scopes.includes('openid'),
    'the scopes must include openid: add it',
  )
  for (const host of wanted.hosts)
    refuse(
      !isHost(host),
      `${host} is not a host: write it like oauth2.example.com, with its port if it has one`,
    )
  for (const domain of [...wanted.signUpDomains, ...wanted.authoritativeFor])
    refuse(!isMailDomain(domain), `${domain} is not an email domain: write it like example.com`)
  refuse(
    wanted.signUp === 'domains' && wanted.signUpDomains.length === 0,
    'sign-up by domains needs at least one domain: add it with --sign-up-domain',
  )
  refuse(
    wanted.signUp !== 'domains' && wanted.signUpDomains.length > 0,
    'sign-up domains need sign-up by domains: set --sign-up domains, or leave them out',
  )
  for (const claim of [wanted.claims.name, wanted.claims.email_verified])
    refuse(
      claim !== undefined && !visibleAscii.test(claim),
      `${JSON.stringify(claim)} is not the name of a claim: write 1 to 200 visible ASCII characters`,
    )
  for (const { claim, value } of wanted.grants)
    refuse(
      !visibleAscii.test(claim) || !/^[^\p{Cc}\p{Cs}]{1,200}$/u.test(value),
      'a grant needs a claim and a value in printable characters: write it like groups=staff:<tenant id>:member',
    )
  for (const entry of wanted.aal2)
    refuse(!/^(acr|amr):[\x21-\x7e]{1,200}$/.test(entry), `${entry} must be acr:<value> or amr:<value>`)
  refuse(
    wanted.aal2.length > 0 && !wanted.countsAsProof,
    'aal2 needs a provider that is accepted for step-up: set --counts-as-proof, or leave aal2 out',
  )
  return faults
}

function issuerFaults({ issuer, kind, directories }: ProviderConfig, local: boolean): string[] {
  const several = issuer.includes(directoryPlace)
  const example = issuer.replace(directoryPlace, 'common')
  if (!URL.canParse(example))
    return [`${issuer} is not an issuer: write it like https://accounts.example.com`]
  const { protocol, hostname, search, hash, username, password } = new URL(example)
  const faults: string[] = []
  if (protocol !== 'https:' && !(local && protocol === 'http:' && isLoopback(hostname)))
    faults.push(`${issuer} must begin with https://`)
  if (search || hash || username || password || example.includes('?') || example.includes('#'))
    faults.push(`${issuer} must have no query, no fragment and no password`)
  if (kind === 'github' && (new URL(example).pathname !== '/' || issuer.endsWith('/')))
    faults.push(`${issuer} must be an origin without a path`)
  if (several && directories.length === 0)
    faults.push(
      'an issuer with several directories needs a list of those that may sign in: add them with --directory',
    )
  if (!several && directories.length > 0)
    faults.push(`directories need ${directoryPlace} in the issuer: leave them out`)
  for (const directory of directories)
    if (!uuidForm.test(directory)) faults.push(`${directory} is not the id of a directory: write its UUID`)
  return faults
}

const isHost = (text: string) =>
  /^[a-z0-9.-]+(:\d{1,5})?$/.test(text) &&
  URL.canParse(`https://${text}`) &&
  new URL(`https://${text}`).host === text

function isMailDomain(text: string): boolean {
  const parsed = parseEmailAddress(`someone@${text}`)
  return parsed.ok && parsed.address.canonical === `someone@${text}`
}
