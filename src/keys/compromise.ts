/** When keys have been in other hands, or the ring itself cannot be believed: what signs next, and what is not believed. */
import type { Kid } from '../core/principal.js'
import { hasBegun, isPublished, newStandby, scheduled, signerOf, standbys } from './schedule.js'
import type { Alteration, Key, Plan, Ring } from './store.js'

/** What leaked: a key, every key, or all that were ever sealed under one key-encryption key, in old backups too. */
export type Leak = { readonly kid: Kid } | 'all' | { readonly kekId: string }

/**
 * The leaked keys end now and leave the list. Where one key leaked the standby signs from the next mint on; where
 * more may have, or no standby opens, a fresh key does, which verifiers meet as unknown until they refetch. `since`: a
 * NumericDate before which their signatures are believed still; null for none of them. `shut` are the keys that do not
 * open: none of them signs next.
 */
export function compromise(
  ring: Ring,
  leak: Leak,
  since: number | null,
  shut: readonly Kid[] = [],
): Plan | 'unknown-key' | 'already-marked' {
  const { keys, now } = ring
  const concerned = keys.filter(key => isConcerned(key, leak))
  if (concerned.length === 0) return 'unknown-key'
  const leaked = concerned.filter(key => !isMarked(key, since))
  if (leaked.length === 0) return 'already-marked'

  const signer = signerOf(keys, now)
  const sound = keys.filter(key => !concerned.includes(key))
  const waiting = [scheduled({ ...ring, keys: sound }), ...standbys({ ...ring, keys: sound })].filter(
    key => key !== undefined && !shut.includes(key.kid),
  )
  const marks = leaked.map(key => mark(key, now, since))
  if (!signer || !concerned.includes(signer)) {
    const replaced = scheduled(ring)
    const resumed =
      signer && replaced && concerned.includes(replaced)
        ? [{ kid: signer.kid, signsUntil: null, unpublishedAt: null }]
        : []
    return { publish: waiting.length > 0 ? [] : [newStandby], alter: [...marks, ...resumed] }
  }
  const [successor, ...rest] = typeof leak === 'object' && 'kid' in leak ? waiting : []
  if (!successor) {
    return { publish: [{ signsFrom: now, exempt: 'compromise' }, newStandby], alter: marks }
  }
  return {
    publish: rest.length > 0 ? [] : [newStandby],
    alter: [...marks, { kid: successor.kid, signsFrom: now, exempt: 'compromise' }],
  }
}

/**
 * On a server that may lack what was acknowledged: fresh keys sign, and whatever was published verifies for its tail.
 * A standby may have signed in what is lost, from any moment after its publication.
 */
export function recovery(ring: Ring): Plan {
  const { now, policy } = ring
  const alter = ring.keys
    .filter(key => isPublished(key, now))
    .flatMap((key): Alteration[] => {
      const { kid, sealed, signsUntil } = key
      const erased = sealed ? { sealed: 'erased' as const } : {}
      if (signsUntil !== null && signsUntil <= now) return sealed ? [{ kid, ...erased }] : []
      const begun = hasBegun(key, now) ? {} : { signsFrom: key.publishedAt, exempt: 'recovery' as const }
      return [{ kid, ...begun, ...erased, signsUntil: now, unpublishedAt: now + policy.tail }]
    })
  return { publish: [{ signsFrom: now, exempt: 'recovery' }, newStandby], alter }
}

function isConcerned({ kid, kekIds }: Key, leak: Leak): boolean {
  if (leak === 'all') return true
  return 'kid' in leak ? kid === leak.kid : kekIds.includes(leak.kekId)
}

/** As strictly already. */
function isMarked({ compromised }: Key, since: number | null): boolean {
  if (!compromised) return false
  return compromised.since === null || (since !== null && compromised.since <= since)
}

function mark(key: Key, now: number, since: number | null): Alteration {
  const { kid, compromised, signsUntil, unpublishedAt } = key
  const ends = hasBegun(key, now)
    ? { signsUntil: Math.min(signsUntil ?? now, now) }
    : { signsFrom: null, signsUntil: null }
  return {
    kid,
    ...ends,
    unpublishedAt: Math.min(unpublishedAt ?? now, now),
    compromised: { at: compromised?.at ?? now, since },
    ...(key.sealed && { sealed: 'erased' }),
  }
}
