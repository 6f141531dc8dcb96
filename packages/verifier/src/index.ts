/** Owns the list of what this package offers. */
export { answerTo, type RefusalAnswer } from './bearer.js'
export type { Store } from './cache.js'
export type { Clock } from './clock.js'
export type { Fetch } from './exchange.js'
export type { Rev } from './handles.js'
export type { Health, RevocationHealth } from './health.js'
export type {
  OfflineOptions,
  OnlineOptions,
  RevocationMode,
  RevocationOptions,
  VerifierOptions,
} from './options.js'
export type { PastPrincipal, Principal, TokenClaims } from './principal.js'
export type { RefusalCode, Refused } from './refusal.js'
export {
  type AssuranceLevel,
  type Requirement,
  requireFresh,
  requirePermission,
  requireRole,
  requireStepUp,
  requireTenant,
} from './requirements.js'
export {
  createVerifier,
  type FreshVerdict,
  fresh,
  type Gate,
  type PastVerdict,
  type Verdict,
  type Verifier,
} from './verifier.js'
