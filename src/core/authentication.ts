/**
 * What each way in is worth: the one table of `amr` (RFC 8176) and `acr` (NIST SP 800-63B-4). Sessions, tokens,
 * introspection and the audit log carry what stands here.
 *
 * | Proved                                   | amr               | acr                                   |
 * |------------------------------------------|-------------------|---------------------------------------|
 * | a password                               | pwd               | aal1                                  |
 * | a provider that does not count           | fed               | aal1                                  |
 * | a provider that counts                   | as the provider says | aal1, or aal2 where the operator says so |
 * | one of these, and a code or recovery code | as above, otp, mfa | aal2                                  |
 * | one of these, and a passkey              | as above, hwk or swk, mfa; and user if it verified them | aal2 |
 * | a passkey that verified its user         | hwk or swk, user, mfa | aal2                               |
 *
 * `hwk` is a passkey that stays on its device, `swk` one that may be synced.
 */
import type { AssuranceLevel, AuthenticationMethod, Identity } from './principal.js'

export interface Authentication {
  readonly amr: readonly AuthenticationMethod[]
  readonly acr: AssuranceLevel
}

export const byPassword: Authentication = { amr: ['pwd'], acr: 'aal1' }

/** By a one-time code of an app, or a recovery code, on top of what was proved before. */
export function andByCode({ amr }: Pick<Identity, 'amr'>): Authentication {
  return { amr: [...new Set([...amr, 'otp', 'mfa'])], acr: 'aal2' }
}

/** `hwk`: bound to one device. `swk`: it may be synced. */
export type KeyMethod = 'hwk' | 'swk'

/** By a passkey alone: something they have, and what it verified them by. */
export function byPasskey(key: KeyMethod): Authentication {
  return { amr: [key, 'user', 'mfa'], acr: 'aal2' }
}

/** By a passkey on top of what was proved before. */
export function andByPasskey(
  { amr }: Pick<Identity, 'amr'>,
  { key, userVerified }: { readonly key: KeyMethod; readonly userVerified: boolean },
): Authentication {
  return { amr: [...new Set([...amr, key, ...(userVerified ? ['user'] : []), 'mfa'])], acr: 'aal2' }
}
