/** What a provider's proof is worth here: nothing unless the operator says that it counts. */

import type { FederatedIdentityId, Identity, UserId } from '../core/principal.js'
import { leewaySeconds } from './id-token.js'
import type { ProviderProfile } from './profile.js'
import type { Provider } from './provider.js'

/**
 * `now` is the database's clock. A proof that counts is as old as the provider says, and never from the future; one
 * without a time is not one.
 */
export function federatedIdentity(
  provider: Provider,
  { issuer, subject, proof }: ProviderProfile,
  { id, user }: { readonly id: FederatedIdentityId; readonly user: UserId },
  now: number,
): Identity {
  const counts = provider.countsAsProof
  const strong =
    counts &&
    provider.aal2.some(entry =>
      entry.startsWith('acr:') ? entry.slice(4) === proof.acr : proof.amr.includes(entry.slice(4)),
    )
  return {
    user,
    amr: counts && proof.amr.length > 0 ? proof.amr : ['fed'],
    acr: strong ? 'aal2' : 'aal1',
    authTime: counts && proof.authTime ? Math.min(proof.authTime, Math.floor(now)) : 'never',
    credential: { kind: 'federated', identity: id, provider: provider.id, issuer, subject, proof },
  }
}

/**
 * A step-up asked for an authentication from then on; a provider that shows an older one has not done what it was asked. Answers
 * the reason for the log, or nothing.
 */
export function staleness(
  { countsAsProof }: Provider,
  { proof: { authTime } }: ProviderProfile,
  beganAt: number,
): string | undefined {
  if (!countsAsProof) return 'the authentication at this provider does not count'
  if (authTime === undefined) return 'auth_time is missing, or no time'
  return authTime < beganAt - leewaySeconds ? 'auth_time is before the step-up began' : undefined
}
