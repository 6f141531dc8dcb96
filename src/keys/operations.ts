/** What operators do to the key ring, by command or by the admin API; each can be tried first, as a dry run. */
import { type Actor, noRequest } from '../audit/events.js'
import type { Kid } from '../core/principal.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { compromise, type Leak } from './compromise.js'
import { examine, feed } from './doctor.js'
import { type HeldList, lackingOf } from './held-lists.js'
import { maxAgeSeconds, rotation, stateOf } from './schedule.js'
import { generateSealedKey, openSealedKey, sealedAs } from './signing-key.js'
import type { Alteration, Key, KeyRingStore, Plan, Policy, Ring } from './store.js'

/** What an instance does to the ring by itself. */
export const noOperator: Actor = { user: undefined, context: noRequest }

export type KeyOperations = ReturnType<typeof createKeyOperations>

export interface ChangeOptions {
  readonly actor: Actor
  /** Everything is done and checked, and nothing is kept. */
  readonly dryRun: boolean
}

export interface KeyOperationParts {
  readonly store: KeyRingStore
  readonly keks: KeyEncryptionKeys
  readonly issuer: string
  /** Seals what else lies under key-encryption keys again. */
  readonly resealOthers: (actor: Actor) => Promise<unknown>
  /** Instances look at the ring at once. */
  readonly changed: () => void
  /** What verifiers that were seen a short while ago have reported. */
  readonly heldLists: () => Promise<readonly HeldList[]>
}

/** Each answers the ring after it, or in a word why it stays as it is. */
export function createKeyOperations({ store, keks, issuer, resealOthers, ...parts }: KeyOperationParts) {
  const make = () => generateSealedKey(issuer, keks)

  async function change<Refusal extends string>(
    decide: (ring: Ring) => Plan | Refusal | Promise<Plan | Refusal>,
    { actor, dryRun }: ChangeOptions,
  ): Promise<Ring | Refusal> {
    await keks.reload()
    const answer = await store.change(decide, make, actor, dryRun)
    if (typeof answer !== 'string' && !dryRun) parts.changed()
    return answer
  }

  return {
    list: () => store.read(),

    async doctor() {
      await keks.reload()
      return [...(await examine(store.read, keks, issuer)), feed(await store.feedForks())]
    },

    /**
     * `shut`: the key that would sign next does not open here, and every mint would fail. `lacking`: these verifiers hold
     * a list without it. `force`: it is for the operator to know better.
     */
    async rotate({ force = false, ...options }: ChangeOptions & { readonly force?: boolean }) {
      const held = force ? [] : await parts.heldLists()
      let lacking: readonly string[] = []
      const answer = await change(async ring => {
        const plan = rotation(ring)
        if (typeof plan === 'string') return plan
        if (await isShut(ring, plan, keks, issuer)) return 'shut'
        lacking = lackingOf(ring, plan, held)
        return lacking.length > 0 ? 'lacking' : plan
      }, options)
      return answer === 'lacking' ? { lacking } : answer
    },

    /** `no-other-kek`: fresh keys would be sealed under the key-encryption key that leaked. */
    compromise(leak: Leak, since: number | null, options: ChangeOptions) {
      return change(async ring => {
        if (typeof leak === 'object' && 'kekId' in leak && keks.newest() === leak.kekId) return 'no-other-kek'
        if (since !== null && since > ring.now) return 'since-in-future'
        return compromise(ring, leak, since, await shutKeys(ring.keys, keks, issuer))
      }, options)
    },

    /** Moves what can still sign, and what providers know us by, under the newest key-encryption key. */
    async reseal(options: ChangeOptions) {
      const ring = await change(ring => resealing(ring, keks, issuer), options)
      if (!options.dryRun) await resealOthers(options.actor)
      return ring
    },
  }
}

/** Of keys that may sign one day: those whose private half does not open here. */
async function shutKeys(keys: readonly Key[], keks: KeyEncryptionKeys, issuer: string): Promise<Kid[]> {
  const shut: Kid[] = []
  for (const { sealed, kekId, ...key } of keys) {
    if (!sealed || kekId === null) continue
    const opens = openSealedKey(issuer, { ...key, sealed, kekId }, keks)
    await opens.catch(() => shut.push(key.kid))
  }
  return shut
}

/** Whether a plan has a key begin to sign that does not open here. */
export async function isShut(ring: Ring, { alter }: Plan, keks: KeyEncryptionKeys, issuer: string) {
  const next = alter.flatMap(({ kid, signsFrom }) =>
    signsFrom === undefined || signsFrom === null ? [] : kid,
  )
  const keys = ring.keys.filter(({ kid }) => next.includes(kid))
  return (await shutKeys(keys, keks, issuer)).length > 0
}

function resealing({ keys }: Ring, keks: KeyEncryptionKeys, issuer: string): Plan | 'already-sealed' {
  const newest = keks.newest()
  const alter: Alteration[] = []
  for (const { kid, sealed, kekId } of keys) {
    if (!sealed || kekId === null || kekId === newest) continue
    const plain = keks.open(kekId, sealed, sealedAs(issuer, kid))
    alter.push({ kid, sealed: keks.seal(plain, sealedAs(issuer, kid)) })
    plain.fill(0)
  }
  return alter.length === 0 ? 'already-sealed' : { publish: [], alter }
}

/**
 * How long verifiers may still believe a leaked key, in seconds from the change, whatever `exp` a forger writes. An
 * instance reads the ring every few seconds. A verifier refetches when its list is `max-age` old; one that can reach
 * nothing keeps it for C; an instance that cannot reach Postgres serves its own for P.
 */
export function describeExposure({ listAge, verifierAge }: Policy) {
  return {
    introspection: 0,
    jwks: 30,
    refreshing_verifiers: 30 + Math.min(maxAgeSeconds, verifierAge),
    verifiers_in_outage: verifierAge + 30,
    everything: listAge + verifierAge,
  }
}

/** As JSON shows it. */
export function describeRing(ring: Ring) {
  return ring.keys.map(key => ({
    kid: key.kid,
    state: stateOf(ring, key),
    published_at: key.publishedAt,
    signs_from: key.signsFrom,
    signs_until: key.signsUntil,
    unpublished_at: key.unpublishedAt,
    compromised_at: key.compromised?.at ?? null,
    compromised_since: key.compromised?.since ?? null,
    sealed_under: key.kekId,
  }))
}
