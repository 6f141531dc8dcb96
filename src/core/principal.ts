/** The words every part shares: branded ids, who proved what (`Identity`), who is signed in (`Principal`). */

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** A user's id: UUID v4 in lower case. The `sub` claim. */
export type UserId = Branded<'UserId'>
/** A session's public handle: 128 random bits, base64url (22 characters). The `sid` claim; it opens nothing. */
export type SessionId = Branded<'SessionId'>
/** A tenant's id: UUID v4 in lower case. The `tenant` claim. */
export type TenantId = Branded<'TenantId'>
/** An application's public name (RFC 6749, section 2.2). The `client_id` claim. */
export type ClientId = Branded<'ClientId'>
/** A signing key's id: its RFC 7638 thumbprint, SHA-256, base64url (43 characters). */
export type Kid = Branded<'Kid'>

/** A service key's public half: 128 random bits, base64url (22 characters). It opens nothing. */
export type ServiceKeyId = Branded<'ServiceKeyId'>

/** A second factor's id: UUID v4 in lower case. */
export type FactorId = Branded<'FactorId'>

/** A user as one provider knows them: UUID v4 in lower case. */
export type FederatedIdentityId = Branded<'FederatedIdentityId'>

/** How a user proved themselves, in the words of RFC 8176; `fed` is ours, for a provider whose word does not count. */
export type AuthenticationMethod = string
/** How strong the authentication was: NIST SP 800-63B authenticator assurance levels. */
export type AssuranceLevel = 'aal1' | 'aal2'

/**
 * What a sign-in method answers: this user, proved in this way, by this credential. A session is opened only while
 * the credential is current.
 */
export interface Identity {
  readonly user: UserId
  readonly amr: readonly AuthenticationMethod[]
  readonly acr: AssuranceLevel
  /** When they authenticated, if not now: a NumericDate. `never`: not in a way that counts here. */
  readonly authTime?: number | 'never'
  readonly credential: PasswordCredential | FederatedCredential | PasskeyCredential | FactorCredential
  /** The second factor, where one was proved too. */
  readonly second?: SecondFactor
}

/** What the transaction that opens or renews a session uses up, so that each is good for one. */
export interface SecondFactor {
  readonly proof: FactorProof
  /** SHA-256 of the pending sign-in's secret. Absent: a step-up, or a passkey alone. */
  readonly pending?: Buffer
}

export type FactorProof =
  /** `step`: the number of the code's 30 seconds since 1970 (RFC 6238, section 4.2). */
  | { readonly kind: 'totp'; readonly factor: FactorId; readonly step: number }
  /** `hash`: SHA-256 of the code. */
  | { readonly kind: 'recovery-code'; readonly hash: Buffer }
  | PasskeyUse

/** What a passkey said of itself when it signed. */
export interface PasskeyUse {
  readonly kind: 'passkey'
  readonly factor: FactorId
  readonly counter: number
  readonly backedUp: boolean
}

/** `version` rises only when the password really changes. */
export interface PasswordCredential {
  readonly kind: 'password'
  readonly version: number
}

/** It is current while it is registered. The proof that it signed is the second factor, too (`Identity.second`). */
export interface PasskeyCredential {
  readonly kind: 'passkey'
  readonly id: FactorId
}

/** Of a step-up by a second factor alone: what it used up (`Identity.second`) is all that it rests on. */
export interface FactorCredential {
  readonly kind: 'factor'
}

/** It is current while the identity is linked, its provider enabled, and the provider's session not logged out. */
export interface FederatedCredential {
  readonly kind: 'federated'
  readonly identity: FederatedIdentityId
  readonly provider: string
  readonly issuer: string
  readonly subject: string
  /** What the provider said of its proof. It is recorded as it is, whether it counts or not. */
  readonly proof: {
    readonly sid: string | undefined
    readonly acr: string | undefined
    readonly amr: readonly string[]
    readonly authTime: number | undefined
    readonly issuedAt: number
  }
}

/** The tenant that a principal acts in, with today's roles (their names) and permissions, both sorted. */
export interface TenantContext {
  readonly id: TenantId
  readonly name: string
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
}

/**
 * Who is signed in: the narrow waist between cookies, sessions and stores on one side and claims, keys and tokens
 * on the other. Times are NumericDates: whole seconds since 1970-01-01T00:00:00Z (RFC 7519, section 2).
 */
export interface Principal {
  readonly user: UserId
  readonly session: SessionId
  /** When the user authenticated. Undefined: never in a way that counts here, so that no `max_age` is met. */
  readonly authTime: number | undefined
  readonly amr: readonly AuthenticationMethod[]
  readonly acr: AssuranceLevel
  /** The session's absolute end: no token outlives it. */
  readonly endsAt: number
  /** `lost`: the session is in one of which this user is no active member any more. Nothing is minted there. */
  readonly tenant: TenantContext | 'none' | 'lost'
}
