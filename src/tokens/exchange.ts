/** Decides whether a live session may have the token it asks for: person and tenant as expected, audience allowed. */

import type { TenantId, UserId } from '../core/principal.js'
import type { Live } from '../sessions/sessions.js'
import type { MintReading } from '../sessions/store.js'

export interface TokenRequest {
  readonly audience: string | undefined
  /** What a browser tab believes: it must not slip into another person or tenant. */
  readonly expect: { readonly sub?: UserId; readonly tenant?: TenantId | null } | undefined
}

export type Decision =
  | { readonly granted: { readonly audience: string; readonly lifetimeSeconds: number } }
  | { readonly refused: 'session_changed' | 'tenant_forbidden' | 'unknown_client' | 'audience_forbidden' }

export function decide(live: Live, application: MintReading['application'], request: TokenRequest): Decision {
  const { principal } = live
  const { expect } = request
  if (expect?.sub !== undefined && expect.sub !== principal.user) return { refused: 'session_changed' }
  if (live.tenantLost) return { refused: 'tenant_forbidden' }
  if (expect?.tenant !== undefined && expect.tenant !== (principal.standing?.tenant ?? null)) {
    return { refused: 'session_changed' }
  }
  if (!application) return { refused: 'unknown_client' }
  const audience = request.audience ?? application.audiences[0]
  if (audience === undefined || !application.audiences.includes(audience)) {
    return { refused: 'audience_forbidden' }
  }
  return { granted: { audience, lifetimeSeconds: application.tokenLifetimeSeconds } }
}
