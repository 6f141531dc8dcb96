/** The schedule of the key ring, as pure functions of its rows and one moment: what signs, and what is to be done. */
import { createHash } from 'node:crypto'
import type { Alteration, Key, Plan, Policy, Ring } from './store.js'

/** Seconds. A verifier's list may be this old before it asks again: `Cache-Control` of the JWK Set. */
export const maxAgeSeconds = 300

export type KeyState = 'standby' | 'scheduled' | 'signing' | 'verifying' | 'gone' | 'compromised'

export function stateOf({ keys, now }: Ring, key: Key): KeyState {
  if (key.compromised) return 'compromised'
  if (!isPublished(key, now)) return 'gone'
  if (key.signsFrom === null) return 'standby'
  if (key.signsFrom > now) return 'scheduled'
  return signerOf(keys, now)?.kid === key.kid ? 'signing' : 'verifying'
}

/** The key that signs: the latest that has begun and not ended. The mint's statement chooses by the same rule. */
export function signerOf(keys: readonly Key[], now: number): Key | undefined {
  const signing = keys.filter(key => hasBegun(key, now) && (key.signsUntil === null || key.signsUntil > now))
  return signing.reduce<Key | undefined>(
    (latest, key) => (latest && (latest.signsFrom ?? 0) >= (key.signsFrom ?? 0) ? latest : key),
    undefined,
  )
}

/** The keys that verify now. */
export function publishedKeys({ keys, now }: Ring): readonly Key[] {
  return keys.filter(key => isPublished(key, now))
}

export function isPublished({ unpublishedAt }: Key, now: number): boolean {
  return unpublishedAt === null || unpublishedAt > now
}

/** It signs no more, and whatever was under way when it ended is over. */
export function canSignNoMore(key: Key, { now, policy }: Ring): boolean {
  if (key.compromised) return true
  return (key.signsUntil !== null && key.signsUntil + policy.skew <= now) || !isPublished(key, now)
}

/** When the signer is due for rotation: some time after `rotateEvery`, by a jitter that every instance computes alike. */
export function dueAt({ kid, signsFrom }: Key, { rotateEvery, jitterPercent }: Policy): number {
  const fraction = createHash('sha256').update(kid).digest().readUInt32BE(0) / 2 ** 32
  return (signsFrom ?? 0) + rotateEvery * (1 + (fraction * jitterPercent) / 100)
}

/** What any instance does whenever it looks: mostly nothing. The first two keys; then, always, one standby that ripens. */
export function maintenance(ring: Ring): Plan | 'nothing' {
  const { keys, now, policy } = ring
  if (keys.length === 0) return { publish: [{ signsFrom: now, exempt: 'first' }, newStandby], alter: [] }
  const signer = signerOf(keys, now)
  const erased = keys
    .filter(key => key.sealed && canSignNoMore(key, ring))
    .map(({ kid }): Alteration => ({ kid, sealed: 'erased' }))
  const [standby] = standbys(ring)
  const due = signer && scheduled(ring) === undefined && now >= dueAt(signer, policy) - policy.lead
  if (signer && standby && due) {
    const at = Math.ceil(Math.max(dueAt(signer, policy), earliest(standby, ring)))
    const plan = handover(ring, signer, standby, at)
    return { ...plan, alter: [...plan.alter, ...erased] }
  }
  if (!standby) return { publish: [newStandby], alter: erased }
  return erased.length === 0 ? 'nothing' : { publish: [], alter: erased }
}

/** The operator's rotation: as soon as the rules allow. */
export function rotation(ring: Ring): Plan | 'already-scheduled' | 'no-standby' {
  const { keys, now } = ring
  const signer = signerOf(keys, now)
  const next = scheduled(ring) ?? standbys(ring)[0]
  if (!signer || !next) return 'no-standby'
  const at = Math.ceil(earliest(next, ring))
  if (next.signsFrom !== null && next.signsFrom <= at) return 'already-scheduled'
  return handover(ring, signer, next, at)
}

/** The next one begins where the signer ends, and another one takes its place as the standby. */
function handover(ring: Ring, { kid }: Key, next: Key, at: number): Plan {
  const waiting = standbys(ring).filter(key => key !== next)
  return {
    publish: waiting.length > 0 ? [] : [newStandby],
    alter: [
      { kid, signsUntil: at, unpublishedAt: at + ring.policy.tail },
      { kid: next.kid, signsFrom: at },
    ],
  }
}

/** Every verifier that conforms can know it by then, and no instance's commit is later than its time. */
function earliest({ publishedAt, leastLead }: Key, { now, policy }: Ring): number {
  return Math.max(publishedAt + leastLead, now + policy.skew)
}

export const newStandby = { signsFrom: null, exempt: null } as const

/** Published and not scheduled, oldest first. */
export function standbys({ keys, now }: Ring): readonly Key[] {
  return keys.filter(key => key.signsFrom === null && key.sealed !== null && isPublished(key, now))
}

/** The one that has a time to begin. */
export function scheduled({ keys, now }: Ring): Key | undefined {
  return keys.find(key => key.signsFrom !== null && key.signsFrom > now && isPublished(key, now))
}

export function hasBegun({ signsFrom }: Key, now: number): boolean {
  return signsFrom !== null && signsFrom <= now
}
