/** What a provider says of a user, cut down to what is believed of it. */
import { type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import { type Provider, printable } from './provider.js'

/** A user as a provider that was verified says they are. */
export interface ProviderProfile {
  readonly issuer: string
  readonly subject: string
  /** Only a verified address: of any other it is not even said that there is one. */
  readonly email: EmailAddress | undefined
  /** If there is none, for the log: which claim is missing, or holds what kind of value. Never the value itself. */
  readonly unverified: string | undefined
  readonly name: string | undefined
  /** What the user knows this identity by. */
  readonly label: string
  readonly proof: ProviderAuthentication
  /** The keys of `grants` that hold, as `keyOf` writes them. */
  readonly holds: ReadonlySet<string>
}

/** How and when the provider says that the user proved themselves. It is recorded; it counts where declared. */
export interface ProviderAuthentication {
  /** The provider's own session. */
  readonly sid: string | undefined
  readonly acr: string | undefined
  readonly amr: readonly string[]
  /** NumericDates. */
  readonly authTime: number | undefined
  readonly issuedAt: number
}

export type Claims = Readonly<Record<string, unknown>>

/** Printable, and no longer than this: what a session or a row may hold. */
export const text = (value: unknown, most: number): string | undefined =>
  typeof value === 'string' && value.length <= most && printable.test(value) ? value : undefined

/** OpenID Connect Core 1.0, section 2: at most 255 ASCII characters. */
export const subjectOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[\x20-\x7e]{1,255}$/.test(value) ? value : undefined

/** An own member, or nothing: no claim is read from a prototype. */
const member = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined

export function profileOf(
  provider: Provider,
  who: { readonly issuer: string; readonly subject: string; readonly now: number },
  claims: Claims,
): ProviderProfile {
  const { issuer, subject } = who
  const address = addressIn(claims)
  const unverified = address ? doubtOf(provider, claims) : `email ${describe(member(claims, 'email'))}`
  const amr = member(claims, 'amr')
  return {
    issuer,
    subject,
    email: unverified === undefined ? address : undefined,
    unverified,
    name: provider.claims.name === undefined ? undefined : text(member(claims, provider.claims.name), 100),
    label: address?.asTyped ?? text(member(claims, 'preferred_username'), 100) ?? `${provider.name} account`,
    proof: {
      sid: text(member(claims, 'sid'), 255),
      acr: text(member(claims, 'acr'), 255),
      amr: (Array.isArray(amr) ? amr : []).flatMap(one => text(one, 64) ?? []).slice(0, 16),
      authTime: time(member(claims, 'auth_time')),
      issuedAt: time(member(claims, 'iat')) ?? Math.floor(who.now),
    },
    holds: new Set(
      provider.grants.flatMap(({ claim, value }) =>
        holds(member(claims, claim), value) ? [keyOf({ claim, value })] : [],
      ),
    ),
  }
}

/** The domain of a verified address. `canonical` has one `@`. */
export const domainOf = ({ email }: Pick<ProviderProfile, 'email'>): string =>
  email?.canonical.split('@')[1] ?? ''

function addressIn(claims: Claims): EmailAddress | undefined {
  const typed = text(member(claims, 'email'), 320)
  const parsed = typed === undefined ? undefined : parseEmailAddress(typed)
  return parsed?.ok ? parsed.address : undefined
}

/**
 * A boolean (OpenID Connect Core 1.0, section 5.1), which Amazon Cognito, JumpCloud and LinkedIn write as text, and
 * Microsoft Entra, in its own claim, as "1". No other spelling is a yes.
 */
function doubtOf({ claims: { email_verified: name = 'email_verified' } }: Provider, claims: Claims) {
  const value = member(claims, name)
  if (value === true || value === 'true' || (name === 'xms_edov' && value === '1')) return undefined
  return `${name} ${describe(value)}`
}

/** A text may be anything, an address as well: only what says no is repeated. */
function describe(value: unknown): string {
  if (value === undefined) return 'is missing'
  if (value === null || value === false) return `is ${value}`
  if (value === 'false' || value === '0') return `is the string "${value}"`
  if (typeof value === 'string') return 'is a string that is not accepted'
  if (Array.isArray(value)) return 'is a list'
  return typeof value === 'object' ? 'is an object' : `is a ${typeof value}`
}

export const keyOf = ({ claim, value }: { readonly claim: string; readonly value: string }) =>
  JSON.stringify([claim, value])

/** A list of texts has it among them, a text is it. Nothing else holds: no `true`, no number, no nested object. */
function holds(claim: unknown, value: string): boolean {
  return Array.isArray(claim) ? claim.slice(0, 1000).includes(value) : claim === value
}

const time = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 && value < 2 ** 40
    ? Math.floor(value)
    : undefined
