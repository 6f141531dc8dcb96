/** The contracts of the stores of providers: one for operators, one for what is under way with a provider. */
import type { Actor } from '../audit/events.js'
import type { UserId } from '../core/principal.js'
import type { Purpose } from './flow.js'
import type { Provider, ProviderChange, ProviderConfig, ProviderWithSecret } from './provider.js'

export interface SealedSecret {
  readonly kekId: string
  readonly sealed: Buffer
}

/**
 * Rules (test/process/provider-commands.test.ts, test/federation): each change is one transaction with its audit row.
 * - When `change` to disabled or `remove` has returned, nobody is signed in through the provider any more. Sessions
 *   that it opened before live on: they are ours. `endSessions` ends them.
 * - The issuer stays while anybody is linked: an identity is an issuer's, and a provider's own are of its issuer.
 * - It is added, changed and removed only by a caller that may do so in that moment (`mayConfigure`).
 * - `remove` takes the links with it: an identity does not come back with a provider of the same name.
 */
export interface ProviderStore {
  /** Throws what the request is answered with, unless its caller may still: asked before a provider is. */
  judge(actor: Actor): Promise<void>
  create(
    config: ProviderConfig,
    secret: SealedSecret,
    actor: Actor,
  ): Promise<Provider | 'forbidden' | 'id-taken' | 'issuer-taken' | 'repeated-differently'>
  list(): Promise<readonly Provider[]>
  read(id: string): Promise<ProviderWithSecret | undefined>
  change(
    id: string,
    to: ProviderChange,
    secret: SealedSecret | undefined,
    actor: Actor,
  ): Promise<Provider | 'unknown' | 'forbidden' | 'issuer-taken' | 'linked'>
  remove(id: string, actor: Actor): Promise<'removed' | 'unknown' | 'forbidden'>
  /**
   * All that were opened or proved through it and live; a part of them where it fails, and it can be repeated. It goes with
   * a change that was judged: the caller's own session may be among them. Answers how many.
   */
  endSessions(id: string, actor: Actor): Promise<number>
  /** Seals every secret again that is not sealed under the newest key. Answers which. */
  reseal(
    again: (provider: string, secret: SealedSecret) => SealedSecret | undefined,
    actor: Actor,
  ): Promise<readonly string[]>
}

export interface Flow {
  readonly purpose: Purpose
  /** Who began to link, or to prove themselves again. */
  readonly user: UserId | undefined
  readonly returnTo: string | undefined
}

export interface NewFlow extends Flow {
  readonly provider: string
  readonly stateHash: Buffer
  readonly browserHash: Buffer
  readonly lifetimeSeconds: number
}

/** `now` and `beganAt` are the database's clock, in seconds. */
export interface ConsumedFlow {
  readonly flow: Flow
  readonly provider: ProviderWithSecret
  readonly beganAt: number
  readonly now: number
}

/** What a sign-in page offers. */
export interface OfferedProvider {
  readonly id: string
  readonly name: string
  readonly countsAsProof: boolean
  /** Whether the operator says of any of its authentications that it is worth `aal2`. */
  readonly reachesAal2: boolean
}

/** A logout token that was verified (OpenID Connect Back-Channel Logout 1.0). At least one of the two is there. */
export interface ProviderLogout {
  readonly provider: string
  readonly issuer: string
  readonly jti: string
  readonly subject: string | undefined
  readonly sid: string | undefined
  readonly issuedAt: number
}

/**
 * Rules (test/federation):
 * - A flow is consumed by one DELETE, by its state and its browser together; where its provider is disabled nothing
 *   comes of it.
 * - `logOut` ends exactly the sessions that the token names, and refuses those that an authentication from before it would
 *   open; the same token again changes nothing.
 */
export interface FederationStore {
  offered(): Promise<readonly OfferedProvider[]>
  /** Enabled ones only. */
  provider(id: string): Promise<{ readonly provider: ProviderWithSecret; readonly now: number } | undefined>
  begin(flow: NewFlow): Promise<'begun' | 'unknown-provider'>
  consume(provider: string, stateHash: Buffer, browserHash: Buffer): Promise<ConsumedFlow | undefined>
  logOut(logout: ProviderLogout, actor: Actor): Promise<number>
}
