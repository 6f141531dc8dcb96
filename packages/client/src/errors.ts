/** What a call can end with, other than its answer. */

/**
 * `signed_out`: nobody is signed in. `session_changed`: somebody else is, or in another tenant, than when this page was
 * loaded. `unavailable`: the service could not be reached for half a minute, and anybody who was signed in still is. Any
 * other code is the service's own, such as `tenant_forbidden` or `audience_forbidden`.
 */
export class MintmarkError extends Error {
  override readonly name = 'MintmarkError'
  readonly code: string

  constructor(code: string) {
    super(`Mintmark: ${code}`)
    this.code = code
  }
}
