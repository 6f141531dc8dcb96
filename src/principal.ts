/** The words every part shares: branded ids, who proved what (`Identity`), who is signed in (`Principal`). */

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** A person's id: UUID v4 in lower case. The `sub` claim. */
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

/** How a person proved themselves, in the words of RFC 8176: `pwd` here, whatever a provider says elsewhere. */
export type AuthenticationMethod = string
/** How strong the proof was: NIST SP 800-63B authenticator assurance levels. */
export type AssuranceLevel = 'aal1' | 'aal2'

/**
 * What a sign-in method answers: this person, proved in this way, by this credential.
 * `credential.version` rises only when the credential really changes; a session is opened only while it is current.
 */
export interface Identity {
  readonly user: UserId
  readonly amr: readonly AuthenticationMethod[]
  readonly acr: AssuranceLevel
  readonly credential: { readonly kind: 'password'; readonly version: number }
}

/** The tenant a principal acts in, with today's roles (their names) and permissions, both sorted. */
export interface Standing {
  readonly tenant: TenantId
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
  readonly authTime: number
  readonly amr: readonly AuthenticationMethod[]
  readonly acr: AssuranceLevel
  /** The session's absolute end: no token outlives it. */
  readonly endsAt: number
  /** Absent when the session is in no tenant. */
  readonly standing?: Standing
}
