/** The catalogue of public errors: code -> status, title. Every problem document comes from here (RFC 9457). */

export const catalogue = {
  invalid_request: [400, 'The request is not valid for this route.'],
  invalid_email: [400, 'This email address is not valid.'],
  unknown_role: [400, 'This role does not exist in the tenant.'],
  role_too_large: [400, 'The roles of this tenant would be too large for an access token.'],
  weak_password: [400, 'This password is not allowed.'],
  link_invalid: [400, 'This link is not valid, has expired or was already used. Ask for a new one.'],
  federation_failed: [400, 'Sign-in with this provider failed. Start again.'],
  logout_token_invalid: [400, 'This logout token is not valid for this provider and this service.'],
  passkey_rejected: [400, 'This passkey could not be registered. Start again.'],
  unknown_client: [
    400,
    'No registered application matches the request. Send client_id or an Origin; if you send both, they must belong to the same application.',
  ],
  unauthenticated: [401, 'No valid session. Sign in first.'],
  session_superseded: [401, 'The session cookie was rotated. Try again with the current cookie.'],
  insufficient_user_authentication: [
    401,
    'This action requires a recent authentication. Step up, then repeat the request with the new cookie.',
  ],
  invalid_service_key: [401, 'The service key is missing, unknown, expired or revoked.'],
  invalid_credentials: [401, 'The email address or the password is wrong.'],
  sign_in_expired: [401, 'The sign-in took too long, or too many codes were tried. Sign in again.'],
  wrong_origin: [403, 'Requests from this origin are not allowed here.'],
  insecure_transport: [403, 'The request did not arrive over TLS through a trusted proxy.'],
  wrong_password: [403, 'The current password is wrong.'],
  wrong_code: [403, 'The code is wrong, has expired or was already used.'],
  passkey_failed: [403, 'The passkey was not accepted. Start again.'],
  codes_locked: [
    403,
    'Too many wrong codes. Use another second factor or a recovery code, or ask the operator of the service.',
  ],
  second_factor_required: [
    403,
    'This account has a second factor. Step up with that factor, or with a recovery code.',
  ],
  tenant_forbidden: [403, 'The user is not an active member of this tenant.'],
  audience_forbidden: [403, 'This application may not request tokens for this audience.'],
  forbidden: [403, 'You don’t have permission to do this.'],
  sign_up_closed: [403, 'There is no account for this user, and this provider may not create one.'],
  address_unverified: [403, 'The provider has not verified this email address.'],
  not_found: [404, 'Not found.'],
  method_not_allowed: [405, 'This address does not support that method.'],
  request_timeout: [408, 'The request took too long to arrive.'],
  session_changed: [409, 'The signed-in user or the tenant is not the one that this request expects.'],
  last_owner: [409, 'A tenant needs at least one active owner. Add another owner first.'],
  last_administrator: [
    409,
    'An installation needs at least one active administrator. Appoint another administrator first.',
  ],
  account_exists: [
    409,
    'An account with this email address already exists. Sign in to it, then link the provider.',
  ],
  identity_taken: [409, 'This provider account is already linked to another user.'],
  last_way_in: [
    409,
    'This is the only sign-in method of this account. Set a password, add a passkey, or link another provider first.',
  ],
  too_many_passkeys: [409, 'This account has as many passkeys as it can have. Remove one first.'],
  name_taken: [409, 'The name or address is already in use.'],
  feed_forked: [
    409,
    'The service does not know this cursor: it may have been restored or recovered. Ask again from the beginning.',
  ],
  idempotency_conflict: [409, 'This Idempotency-Key was already used for a different request.'],
  body_too_large: [413, 'The request body is too large.'],
  unsupported_media_type: [415, 'Send application/json in UTF-8, or a form where the route takes one.'],
  header_fields_too_large: [431, 'The request headers are too large.'],
  too_many_requests: [429, 'Too many attempts. Try again later.'],
  internal_error: [500, 'Something went wrong on our side.'],
  busy: [503, 'The service is busy. Try again shortly.'],
  unavailable: [503, 'The service is temporarily unavailable. Nothing was changed. Try again shortly.'],
  provider_unavailable: [503, 'The provider is temporarily unavailable. Try again shortly.'],
  not_confirmed: [503, 'The change may or may not have been made. It is safe to repeat the request.'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ErrorCode = keyof typeof catalogue

export const errorCodes = Object.keys(catalogue) as ErrorCode[]

/** An expected refusal on its way to the client. `detail` is public; what only the log may know goes to the log. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** How old an authentication may be at most, where a fresher one is asked for (RFC 9470, section 3). */
  readonly maxAgeSeconds: number | undefined
  /** The level that is asked for, where the session's is lower. */
  readonly acrValues: 'aal2' | undefined

  constructor(
    code: ErrorCode,
    more: { detail?: string; retryAfterSeconds?: number; maxAgeSeconds?: number; acrValues?: 'aal2' } = {},
  ) {
    super(catalogue[code][1])
    this.code = code
    this.detail = more.detail
    this.retryAfterSeconds = more.retryAfterSeconds
    this.maxAgeSeconds = more.maxAgeSeconds
    this.acrValues = more.acrValues
  }
}
