/** What operators do to the key ring, by command or by the admin API; each can be tried first, as a dry run. */
import { type By, noRequest } from '../audit/events.js'
import type { Kid } from '../core/principal.js'
import { secretSealedAs } from '../federation/provider.js'
import type { ProviderStore, SealedSecret } from '../federation/store.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { compromise, type Leak } from './compromise.js'
import { examine } from './doctor.js'
import { maxAgeSeconds, rotation } from './schedule.js'
import { generateSealedKey, openSealedKey, sealedAs } from './signing-key.js'
import type { Alteration, Key, KeyRingStore, Plan, Policy, Ring } from './store.js'

/** What an instance does to the ring by itself. */
export const noOperator: By = { actor: undefined, occasion: noRequest }

export type KeyOperations = ReturnType<typeof createKeyOperations>

export interface Occasion {
  readonly by: By
  /** Everything is done and checked, and nothing is kept. */
  readonly dryRun: boolean
}

/** Each answers the ring after it, or in a word why it stays as it is. */
export function createKeyOperations(
  store: KeyRingStore,
  keks: KeyEncryptionKeys,
  issuer: string,
  providers: Pick<ProviderStore, 'reseal'>,
) {
  const make = () => generateSealedKey(issuer, keks)

  return {
    list: () => store.read(),

    async doctor() {
      await keks.reload()
      return examine(store.read, keks, issuer)
    },

    /** `shut`: the key that would sign next does not open here, and every mint would fail. */
    async rotate({ by, dryRun }: Occasion) {
      await keks.reload()
      const decide = async (ring: Ring) => {
        const plan = rotation(ring)
        return typeof plan !== 'string' && (await isShut(ring, plan, keks, issuer)) ? 'shut' : plan
      }
      return store.change(decide, make, by, dryRun)
    },

    /** `no-other-kek`: fresh keys would be sealed under the key-encryption key that leaked. */
    async compromise(leak: Leak, since: number | null, { by, dryRun }: Occasion) {
      await keks.reload()
      if (typeof leak === 'object' && 'kekId' in leak && keks.newest() === leak.kekId) return 'no-other-kek'
      const decide = async (ring: Ring) =>
        since !== null && since > ring.now
          ? 'since-in-future'
          : compromise(ring, leak, since, await shutKeys(ring.keys, keks, issuer))
      return store.change(decide, make, by, dryRun)
    },

    /** Moves what can still sign, and what providers know us by, under the newest key-encryption key. */
    async reseal({ by, dryRun }: Occasion) {
      await keks.reload()
      const ring = await store.change(ring => resealing(ring, keks, issuer), make, by, dryRun)
      if (!dryRun) await providers.reseal((id, secret) => resealedSecret(id, secret, keks, issuer), by)
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

/** One whose key-encryption key is gone is lost already; its provider says so, and the operator gives it again. */
function resealedSecret(id: string, secret: SealedSecret, keks: KeyEncryptionKeys, issuer: string) {
  if (secret.kekId === keks.newest() || !keks.has(secret.kekId)) return undefined
  const boundTo = secretSealedAs(issuer, id)
  return keks.seal(keks.open(secret.kekId, secret.sealed, boundTo), boundTo)
}

/**
 * How long verifiers may still believe a leaked key, in seconds from the change, whatever `exp` a forger writes. An
 * instance reads the ring every few seconds. A verifier refetches when its list is `max-age` old; one that can reach
 * nothing keeps it for C; an instance that cannot reach Postgres serves its own for P.
 */
export function exposure({ listAge, verifierAge }: Policy) {
  return {
    introspection: 0,
    jwks: 30,
    refreshingVerifiers: 30 + Math.min(maxAgeSeconds, verifierAge),
    verifiersInOutage: verifierAge + 30,
    everything: listAge + verifierAge,
  }
}
