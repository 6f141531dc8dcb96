/** The catalogue of public errors: code -> status, title. Every problem document comes from here (RFC 9457). */

export const catalogue = {
  invalid_request: [400, 'The request is not in the form that this route takes.'],
  invalid_email: [400, 'This is not an e-mail address that can be used here.'],
  unknown_role: [400, 'The tenant has no such role.'],
  role_too_large: [400, 'The roles of this tenant would not fit into an access token any more.'],
  weak_password: [400, 'This password cannot be used.'],
  link_invalid: [400, 'This link is unknown, used or too old. Ask for a new one.'],
  federation_failed: [400, 'Signing in with this provider did not work. Start again.'],
  logout_token_invalid: [400, 'This is not a logout token of this provider for this service.'],
  unknown_client: [
    400,
    'Name a registered application: by its origin or by client_id, the same one in both.',
  ],
  unauthenticated: [401, 'Nobody is signed in with this request.'],
  session_superseded: [401, 'The session has a newer cookie. Try again with the one you have now.'],
  insufficient_user_authentication: [
    401,
    'This needs a fresh proof: step up, then repeat it with the new cookie.',
  ],
  invalid_service_key: [
    401,
    'There is no service key with this request, or none that works: unknown, expired or revoked.',
  ],
  invalid_credentials: [401, 'The e-mail address or the password is wrong.'],
  wrong_origin: [403, 'This request does not come from an origin that may make it.'],
  insecure_transport: [403, 'This request did not arrive through TLS by way of a trusted proxy.'],
  wrong_password: [403, 'The current password is wrong.'],
  tenant_forbidden: [403, 'This person is not an active member of that tenant.'],
  audience_forbidden: [403, 'This application may not ask for tokens for that audience.'],
  forbidden: [403, 'The caller does not hold what this needs.'],
  sign_up_closed: [403, 'There is no account for this person, and this provider makes none here.'],
  address_unverified: [403, 'The provider does not say that the e-mail address is this person’s.'],
  not_found: [404, 'There is nothing at this address.'],
  method_not_allowed: [405, 'This address does not take that method.'],
  request_timeout: [408, 'The request did not arrive in time.'],
  session_changed: [409, 'Someone else is signed in, or in another tenant, than this request expects.'],
  last_owner: [409, 'The tenant would be left without an active owner: make another one first.'],
  account_exists: [409, 'There is an account with this address. Sign in to it, then link the provider.'],
  identity_taken: [409, 'This account at the provider is linked to another account here.'],
  last_way_in: [409, 'This is the only way to sign in to this account: set a password, or link another one.'],
  name_taken: [409, 'There is another one of this name or address.'],
  idempotency_conflict: [409, 'This Idempotency-Key was used for another request.'],
  body_too_large: [413, 'The body is larger than this route takes.'],
  unsupported_media_type: [415, 'Send application/json in UTF-8, or a form where the route takes one.'],
  header_fields_too_large: [431, 'The request has too many or too large header fields.'],
  too_many_requests: [429, 'Too many attempts. Try again later.'],
  internal_error: [500, 'Something is wrong on our side.'],
  busy: [503, 'Too much to do at the moment. Try again shortly.'],
  unavailable: [503, 'The truth cannot be reached at the moment. Nothing was accepted; try again shortly.'],
  provider_unavailable: [503, 'The provider cannot be reached at the moment. Try again shortly.'],
  not_confirmed: [503, 'It is not known whether this change was made. It is safe to repeat it.'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof catalogue

export const errorCodes = Object.keys(catalogue) as ErrorCode[]

/** An expected refusal on its way to the client. `detail` is public; what only the log may know goes to the log. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** How old a proof may be at most, where a fresher one is asked for (RFC 9470, section 3). */
  readonly maxAgeSeconds: number | undefined

  constructor(
    code: ErrorCode,
    more: { detail?: string; retryAfterSeconds?: number; maxAgeSeconds?: number } = {},
  ) {
    super(catalogue[code][1])
    this.code = code
    this.detail = more.detail
    this.retryAfterSeconds = more.retryAfterSeconds
    this.maxAgeSeconds = more.maxAgeSeconds
  }
}
