/** A message of the feed: a JWS under the key that signs tokens, with a type and an audience of its own (docs/feed.md). */
import type { Handle } from '../core/handle.js'
import { headerUnder, type SigningKey, signCompact } from '../keys/signing-key.js'
import { type Cursor, writeCursor } from './cursor.js'

export const feedType = 'mintmark-feed+jwt'
export const feedPath = '/v1/feed'

export interface FeedMessage {
  readonly generation: number
  /** Seconds since 1970, by the database's clock. */
  readonly asof: number
  readonly from: Cursor
  readonly to: Cursor
  readonly dead: readonly Handle[]
  readonly more: boolean
  /** Of the published keys (`PublishedSet.digest`). */
  readonly jwks: string
}

/** Seconds after which a reader of JWTs that knows nothing of feeds must not accept it. */
const lifeSeconds = 60

export function signMessage(issuer: string, message: FeedMessage, key: SigningKey): string {
  const asof = Math.floor(message.asof * 1000) / 1000
  const payload = {
    iss: issuer,
    aud: `${issuer}${feedPath}`,
    exp: Math.floor(asof) + lifeSeconds,
    gen: message.generation,
    asof,
    from: writeCursor(message.from),
    to: writeCursor(message.to),
    dead: message.dead,
    more: message.more,
    jwks: message.jwks,
  }
  return signCompact(key, headerUnder(key.kid, feedType), payload)
}
