/** Which verifiers cannot know the next key: each reports the digest of the list of keys that it holds. */
import { createHash } from 'node:crypto'
import type { Kid } from '../core/principal.js'
import { isPublished } from './schedule.js'
import type { Plan, Ring } from './store.js'

export interface HeldList {
  /** As it is shown. */
  readonly verifier: string
  readonly digest: string
}

/** Tells two lists of keys apart: SHA-256, base64url, of their sorted kids, which are thumbprints. */
export function digestOf(kids: readonly Kid[]): string {
  return createHash('sha256')
    .update([...kids].sort().join(''))
    .digest('base64url')
}

/** Those whose list is none that ever had every key which begins to sign by this plan. */
export function lackingOf(ring: Ring, { alter }: Plan, held: readonly HeldList[]): string[] {
  const next = alter.flatMap(({ kid, signsFrom }) => (typeof signsFrom === 'number' ? [kid] : []))
  const sound = digestsWith(ring, next)
  return held.filter(({ digest }) => !sound.has(digest)).map(({ verifier }) => verifier)
}

/** A list changes only when a key joins or leaves it. */
function digestsWith({ keys, now }: Ring, wanted: readonly Kid[]): Set<string> {
  const changes = keys.flatMap(({ publishedAt, unpublishedAt }) => [publishedAt, unpublishedAt ?? now])
  const lists = [...changes, now]
    .filter(at => at <= now)
    .map(at => keys.filter(key => key.publishedAt <= at && isPublished(key, at)).map(({ kid }) => kid))
  return new Set(lists.filter(kids => wanted.every(kid => kids.includes(kid))).map(digestOf))
}
