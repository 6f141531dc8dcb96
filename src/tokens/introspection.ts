/** Today's answer about a token: what it says, held against the primary of this moment (RFC 7662). */
import { judgeTime, type PublicKey } from '@mintmark/verifier/readers'
import { handleOfId, handleOfSecret } from '../core/handle.js'
import type { Kid, ServiceKeyId, SessionId, TenantContext, TenantId } from '../core/principal.js'
import type { KeyRow, LiveKey } from '../core/service-key.js'
import type { PublicJwk } from '../keys/store.js'
import { type Gone, judgeUnproved } from '../sessions/sessions.js'
import type { Reading, TokenBasis } from '../sessions/store.js'
import type { Claims, ReadToken, Unreadable } from './read.js'

/** The token's part is what it says of itself, not yet proved. */
export interface IntrospectionQuestion {
  readonly key: ServiceKeyId
  readonly token:
    | {
        readonly kid: Kid
        readonly session: SessionId
        readonly tenant: TenantId | undefined
        readonly client: string
      }
    | undefined
}

export interface IntrospectionReading extends Reading {
  /** The service key that asks, as it is now. */
  readonly key: KeyRow | undefined
  /** Undefined when the application is unknown or disabled. */
  readonly application: { readonly audiences: readonly string[] } | undefined
  /** What a token of this moment would rest on. */
  readonly basis: TokenBasis
  /** Undefined when no key of this kid is published now. */
  readonly publishedKey: PublishedKey | undefined
}

/** A key with the time in which it signs, in whole seconds: `iat` lies at or after `from` and before `until`. */
export interface PublishedKey {
  readonly publicJwk: PublicJwk
  /** Undefined: not scheduled. */
  readonly from: number | undefined
  /** Undefined: until its successor has a time. */
  readonly until: number | undefined
}

/**
 * `read` is one fresh autocommit statement on the primary: the key that asks, the token's session, user, membership
 * and application, and the signing key, as they are at `now`. It throws `Outage` when the primary cannot be asked.
 */
export interface IntrospectionStore {
  read(question: IntrospectionQuestion): Promise<IntrospectionReading>
}

/** Why a token is not active. For the log and the tests: the public answer never tells them apart. */
export type Inactive =
  | Unreadable
  | 'unknown-key'
  | 'signature'
  | 'key-not-signing'
  | 'not-yet'
  | 'expired'
  | 'audience'
  | 'other-tenant'
  | 'application'
  | 'session-of-another'
  | 'tenant-lost'
  | 'stale'
  | `session-${Gone}`

export interface Active {
  readonly claims: Claims
  /** Today's, in the token's tenant. */
  readonly tenant: TenantContext | 'none'
}

/** `asker` is who asks, already judged; `key` is the one that the reading named, undefined when it named none. */
export async function judgeToken(
  { claims, jws }: ReadToken,
  key: PublicKey | undefined,
  reading: IntrospectionReading,
  asker: LiveKey,
): Promise<{ readonly active: Active } | { readonly inactive: Inactive }> {
  const { now, publishedKey, application } = reading
  if (!key || !publishedKey) return { inactive: 'unknown-key' }
  if (!(await key.verifies(jws.signed, jws.signature))) return { inactive: 'signature' }
  if (!hasSigned(publishedKey, claims)) return { inactive: 'key-not-signing' }
  if (judgeTime(claims, now)?.code === 'not_yet_valid') return { inactive: 'not-yet' }
  // The clock is the one that wrote it: there is no leeway here.
  if (claims.expiresAt <= now) return { inactive: 'expired' }
  if (!asker.audiences.includes(claims.audience)) return { inactive: 'audience' }
  if (asker.tenant !== null && asker.tenant !== claims.tenant) return { inactive: 'other-tenant' }
  if (!application?.audiences.includes(claims.audience)) return { inactive: 'application' }
  const resumed = judgeUnproved(claims.sid, reading)
  if ('gone' in resumed) return { inactive: `session-${resumed.gone}` }
  const { user, tenant } = resumed.live.principal
  if (user !== claims.sub) return { inactive: 'session-of-another' }
  if (tenant === 'lost') return { inactive: 'tenant-lost' }
  if (isStale(claims, reading)) return { inactive: 'stale' }
  return { active: { claims, tenant } }
}

/** Something that the token rests on has been replaced since: a verifier that follows the feed rejects it, too. */
function isStale({ rev, sid }: Claims, { row, basis }: IntrospectionReading): boolean {
  // Of the release before.
  if (!rev || !row) return false
  const secrets = [row.secretHash, row.previousSecretHash].flatMap(hash => (hash ? handleOfSecret(hash) : []))
  const current = new Set<string>([handleOfId(sid), ...basis.handles, ...secrets])
  return rev.generation !== basis.generation || !rev.handles.every(handle => current.has(handle))
}

/** A standby is published, and so is a key that has ended: neither signs a token of now. */
function hasSigned({ from, until }: PublishedKey, { issuedAt }: Claims): boolean {
  return from !== undefined && from <= issuedAt && (until === undefined || issuedAt < until)
}
