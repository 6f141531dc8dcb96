/** Today's answer about a token: what it says, held against the truth of this moment (RFC 7662). */
import type { KeyObject } from 'node:crypto'
import type { KeyRow, LiveKey } from '../directory/service-keys.js'
import type { PublicJwk } from '../keyring/store.js'
import type { Kid, ServiceKeyId, SessionId, Standing, TenantId } from '../principal.js'
import { type Gone, judgeUnproved } from '../session/sessions.js'
import type { Reading } from '../session/store.js'
import { type Claims, isSignedBy, type ReadToken, type Unreadable } from './read.js'

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
  /** Undefined when no key of this kid is published now. */
  readonly publicJwk: PublicJwk | undefined
}

/**
 * `read` is one fresh autocommit statement on the primary: the key that asks, the token's session, person, membership
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
  | 'not-yet'
  | 'expired'
  | 'audience'
  | 'other-tenant'
  | 'application'
  | 'session-of-another'
  | 'tenant-lost'
  | `session-${Gone}`

export interface Active {
  readonly claims: Claims
  /** Today's, in the token's tenant; undefined for a token in none. */
  readonly standing: Standing | undefined
}

/** Seconds by which a clock may have stepped back, as a fail-over can make it. */
const skewSeconds = 60

/** `asker` is who asks, already judged; `verifies` is the key that the reading named, undefined when it named none. */
export function judgeToken(
  token: ReadToken,
  verifies: KeyObject | undefined,
  reading: IntrospectionReading,
  asker: LiveKey,
): { readonly active: Active } | { readonly inactive: Inactive } {
  const { claims } = token
  if (!verifies) return { inactive: 'unknown-key' }
  if (!isSignedBy(token, verifies)) return { inactive: 'signature' }
  if (claims.iat > reading.now + skewSeconds) return { inactive: 'not-yet' }
  if (claims.exp <= reading.now) return { inactive: 'expired' }
  if (!asker.audiences.includes(claims.aud)) return { inactive: 'audience' }
  if (asker.tenant !== null && asker.tenant !== claims.tenant) return { inactive: 'other-tenant' }
  if (!reading.application?.audiences.includes(claims.aud)) return { inactive: 'application' }
  const resumed = judgeUnproved(claims.sid, reading)
  if ('gone' in resumed) return { inactive: `session-${resumed.gone}` }
  const { principal, tenantLost } = resumed.live
  if (principal.user !== claims.sub) return { inactive: 'session-of-another' }
  if (tenantLost) return { inactive: 'tenant-lost' }
  return { active: { claims, standing: principal.standing } }
}
