/** The exchange of a session for an access token: one reading of the session and what it may have, a decision, the mint. */
import { type RecordRefusal, type RequestContext, refusalOf } from '../audit/events.js'
import type { ClientId, Kid, TenantId, UserId } from '../core/principal.js'
import type { SigningKey } from '../keys/signing-key.js'
import type { Credential } from '../sessions/credential.js'
import type { Gone, Live, Sessions } from '../sessions/sessions.js'
import type { MintReading } from '../sessions/store.js'
import { type MintedToken, mint } from './mint.js'

export interface TokenRequest {
  readonly client: ClientId
  /** The origin that asks, if it is an application's. */
  readonly origin: string | undefined
  /** Undefined: the session's own. */
  readonly tenant: TenantId | undefined
  readonly audience: string | undefined
  /** What a browser tab believes: it must not slip into another user or tenant. */
  readonly expect: { readonly sub?: UserId; readonly tenant?: TenantId | null } | undefined
}

export type Decision =
  | { readonly granted: { readonly audience: string; readonly lifetimeSeconds: number } }
  | { readonly refused: 'session_changed' | 'tenant_forbidden' | 'unknown_client' | 'audience_forbidden' }

export type Exchanged =
  | { readonly gone: Gone }
  | ({ readonly live: Live; readonly gone?: never } & (
      | { readonly minted: MintedToken }
      | Extract<Decision, { refused: unknown }>
    ))

export interface ExchangeParts {
  readonly issuer: string
  readonly sessions: Pick<Sessions, 'resumeForMint'>
  /** Of the key that the reading named. */
  readonly signer: (kid: Kid | undefined) => SigningKey | Promise<SigningKey>
  readonly refused: RecordRefusal
}

export type Exchange = ReturnType<typeof createExchange>

export function createExchange({ issuer, sessions, signer, refused }: ExchangeParts) {
  /** `seen` learns of the live session before the decision: a refusal or an outage after it is that session's, too. */
  return async (
    credential: Credential,
    request: TokenRequest,
    context: RequestContext,
    seen: (live: Live) => void,
  ): Promise<Exchanged> => {
    const resumed = await sessions.resumeForMint(credential, request)
    if (resumed.gone !== undefined) return { gone: resumed.gone }
    const { live, application, kid, basis } = resumed
    seen(live)
    const { principal } = live
    const decision = decide(live, application, request)
    if ('refused' in decision) {
      await refused(refusalOf(principal, 'session.token', decision.refused, context))
      return { live, ...decision }
    }
    const order = { issuer, principal, basis, clientId: request.client, ...decision.granted }
    return { live, minted: mint(order, await signer(kid), live.now) }
  }
}

/** User and tenant as expected, the audience one of the application's. */
export function decide(
  { principal }: Live,
  application: MintReading['application'],
  request: Pick<TokenRequest, 'audience' | 'expect'>,
): Decision {
  const { expect } = request
  const { tenant } = principal
  if (expect?.sub !== undefined && expect.sub !== principal.user) return { refused: 'session_changed' }
  if (tenant === 'lost') return { refused: 'tenant_forbidden' }
  if (expect?.tenant !== undefined && expect.tenant !== (tenant === 'none' ? null : tenant.id))
    return { refused: 'session_changed' }
  if (!application) return { refused: 'unknown_client' }
  const audience = request.audience ?? application.audiences[0]
  if (audience === undefined || !application.audiences.includes(audience))
    return { refused: 'audience_forbidden' }
  return { granted: { audience, lifetimeSeconds: application.tokenLifetimeSeconds } }
}
