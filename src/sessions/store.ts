/** The contract of a session store: what a back end must hold so that the session can be the primary. */
import type { RequestContext } from '../audit/events.js'
import type { Handle } from '../core/handle.js'
import type {
  AssuranceLevel,
  AuthenticationMethod,
  ClientId,
  Identity,
  Kid,
  SessionId,
  TenantId,
  UserId,
} from '../core/principal.js'

/** Where a sign-in came from, as the device list will show it. Cut to size before it gets here. */
export interface Device {
  readonly userAgent: string
  readonly address: string
}

export interface NewSession {
  readonly id: SessionId
  readonly secretHash: Buffer
  readonly identity: Identity
  readonly device: Device
  readonly idleSeconds: number
  readonly absoluteSeconds: number
  /** Live ones of its user, this one among them. */
  readonly most: number
  readonly context: RequestContext
  /** The session that the browser came with: it ends in the same statement if this hash proves it. */
  readonly replaces?: { readonly id: SessionId; readonly secretHash: Buffer }
}

/** One row as the primary had it at `now`, with every comparison of times already made by the database's clock. */
export interface SessionRow {
  readonly secretHash: Buffer
  /** The hash that the last change of secret replaced: proving it opens nothing. */
  readonly previousSecretHash: Buffer | null
  readonly secretAgeSeconds: number
  /** `renewed`: it lives on under another id, which a new proof got; its secret is then the one before. */
  readonly ended: false | 'ended' | 'renewed'
  /** The epochs that the row carries are still those of the service and of its user. */
  readonly epochsCurrent: boolean
  readonly pastAbsolute: boolean
  readonly pastIdle: boolean
  readonly userActive: boolean
  readonly createdAt: number
  readonly endsAt: number
  readonly idleEndsAt: number
  readonly lastSeenAgeSeconds: number
  readonly idleSeconds: number
  /** Undefined: the user never authenticated in a way that counts here. */
  readonly authTime: number | undefined
  readonly amr: readonly AuthenticationMethod[]
  readonly acr: AssuranceLevel
  readonly user: { readonly id: UserId; readonly email: string; readonly name: string | null }
  /** `lost`: the tenant asked for (or the session's own) is not one in which the user is an active member. */
  readonly tenant: 'none' | 'lost' | TenantStanding
}

export interface TenantStanding {
  readonly id: TenantId
  readonly name: string
  readonly roleIds: readonly string[]
  /** The tenant's roles by id. An id without an entry grants nothing. */
  readonly roles: Readonly<Record<string, { readonly name: string; readonly permissions: readonly string[] }>>
}

/** `now` is the database's clock in seconds (with a fraction), read by the statement that read the row. */
export interface Reading {
  readonly now: number
  readonly row: SessionRow | undefined
}

export interface MintQuestion {
  /** Without one, the session's current tenant. */
  readonly tenant: TenantId | undefined
  readonly client: ClientId
  /** The origin that must still belong to the client; undefined for callers without one and for the issuer's own. */
  readonly origin: string | undefined
}

export interface MintReading extends Reading {
  /** Undefined when the client is unknown, disabled, or no longer owns the origin. */
  readonly application:
    | { readonly audiences: readonly string[]; readonly tokenLifetimeSeconds: number }
    | undefined
  /** The key that signs at `now`. Undefined when the ring has none: an outage, not a refusal. */
  readonly kid: Kid | undefined
  /** What a token of this reading rests on. */
  readonly basis: TokenBasis
}

/** Read by the statement that reads the rest: a change that it did not see kills what it read (docs/feed.md). */
export interface TokenBasis {
  /** Of the database; only `mintmark recover` raises it. */
  readonly generation: number
  /** Of the service, the user, the application, the membership and the tenant, as far as they were found. */
  readonly handles: readonly Handle[]
}

/** What a session goes on under: the hash of its new secret, and the id that it takes where a new proof gets a new one. */
export interface Successor {
  readonly id: SessionId
  readonly secretHash: Buffer
}

/** A new secret for a session whose user proved themselves again. */
export interface Renewal {
  readonly id: SessionId
  /** The compare of the compare-and-swap: the hash that this request proved. */
  readonly provenSecretHash: Buffer
  readonly next: Successor
  readonly identity: Identity
  readonly context: RequestContext
}

export interface TenantSwitch {
  readonly id: SessionId
  readonly provenSecretHash: Buffer
  readonly tenant: TenantId | null
  readonly actor: UserId
  readonly context: RequestContext
}

/** `second-factor-required`: its user has a second factor, and the identity does not rest on one. */
export type NotOpened = 'credential-changed' | 'second-factor-required'
export type NotRenewed = 'superseded' | 'second-factor-required'

/** The back end lacks the session, and it could come back: `refuse` has the presented secret open nothing if it does. */
export interface NotHere {
  refuse(): Promise<void>
}

/**
 * Rules that every back end keeps (test/conformance/session-store.ts runs them):
 * - `read` and `readForMint` are one fresh autocommit statement on the primary each; they are never joined, cached
 *   or answered by a replica, and throw `Outage` when the primary cannot be asked. Where the row lies elsewhere it is
 *   read before that statement begins, which then refuses what was revoked; a row that cannot be read is an `Outage`.
 * - `open` inserts only while the user is active and the identity's credential version is current. Over `most` the one
 *   that was not used for the longest ends in the same transaction, and any more that there were before this rule; of
 *   parallel ones each counts those before it.
 * - `open` and `renew` let nobody in who owes a second factor: they do nothing for a user who has one unless the
 *   identity is of aal2, or the provider's word is. What a second factor used up (a pending sign-in, a code) is
 *   consumed in the same transaction; of parallel ones with one code, or one pending sign-in, one succeeds.
 * - `touch` only moves last-seen of a live row; it never inserts, never revives and never waits for a lock.
 * - `renew` replaces the secret only of a live session of that user, while the hash is the one that was proved and
 *   the identity's credential version is current; of any number of parallel ones with one proof one succeeds. It
 *   answers the id that the session has from then on.
 * - `switchTenant` moves a live session, under the same proof, into a tenant in which its user is an active member.
 * - What `open`, `renew`, `switchTenant` and `end` change they also write to the audit log, in the same transaction.
 * - `end` ends the row only if the hash is its secret's or its previous secret's, and then under whatever id it goes
 *   on; ending twice is no error.
 */
export interface SessionStore {
  open(session: NewSession): Promise<{ opened: { now: number; endsAt: number } } | NotOpened>
  read(id: SessionId): Promise<Reading>
  readForMint(id: SessionId, question: MintQuestion): Promise<MintReading>
  touch(id: SessionId): Promise<void>
  renew(renewal: Renewal): Promise<{ renewed: { id: SessionId; now: number; endsAt: number } } | NotRenewed>
  switchTenant(change: TenantSwitch): Promise<'switched' | 'forbidden' | 'superseded'>
  end(
    id: SessionId,
    secretHash: Buffer,
    reason: 'signed-out',
    context: RequestContext,
  ): Promise<'ended' | NotHere>
}
