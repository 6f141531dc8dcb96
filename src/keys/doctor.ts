/** Looks at the ring as a physician would: the clocks, the ages, the policy, and what each key signs. */
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { dueAt, maxAgeSeconds, publishedKeys, scheduled, signerOf, standbys } from './schedule.js'
import { openSealedKey } from './signing-key.js'
import type { Key, Ring } from './store.js'

export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** What was found, and where it is not well, the fix. */
  readonly says: string
}

export async function examine(
  read: () => Promise<Ring>,
  keks: KeyEncryptionKeys,
  issuer: string,
): Promise<readonly Finding[]> {
  const before = Date.now()
  const ring = await read()
  // As near to the moment of the reading as can be.
  const clock = (before + Date.now()) / 2000
  return [
    clocks(ring, clock),
    lead(ring),
    ...(ring.keys.length === 0 ? [fresh] : [signer(ring), standby(ring)]),
    ...(await Promise.all(publishedKeys(ring).map(key => half(key, keks, issuer)))),
  ]
}

function clocks({ now, policy }: Ring, clock: number): Finding {
  const apart = clock - now
  const ok = Math.abs(apart) <= Math.min(1, policy.skew)
  const said = `this machine's clock is ${Math.abs(apart).toFixed(1)} s ${apart < 0 ? 'behind' : 'ahead of'} Postgres`
  return { check: 'clock', ok, says: ok ? said : `${said}: synchronize both clocks with NTP` }
}

function lead({ policy: { lead, listAge, verifierAge, skew } }: Ring): Finding {
  const needed = listAge + verifierAge + skew
  const ok = lead >= needed && verifierAge >= maxAgeSeconds
  const said = `a key is published ${lead} s before it signs; key sets may be ${listAge} s old here and ${verifierAge} s at verifiers, which fetch them again after ${maxAgeSeconds} s`
  return { check: 'lead', ok, says: ok ? said : `${said}: raise lead and verifier_age in key_policy` }
}

/** Nothing is wrong with an installation that has not been started yet. */
const fresh: Finding = {
  check: 'signer',
  ok: true,
  says: 'there are no keys yet: the service creates the first two when it starts',
}

function signer(ring: Ring): Finding {
  const key = signerOf(ring.keys, ring.now)
  if (!key)
    return { check: 'signer', ok: false, says: 'no key signs: run `mintmark keys rotate --compromised all`' }
  const overdue = ring.now - dueAt(key, ring.policy)
  const days = ((ring.now - (key.signsFrom ?? ring.now)) / 86_400).toFixed(1)
  const ok = overdue < ring.policy.lead
  const said = `${key.kid} has signed for ${days} days`
  return {
    check: 'signer',
    ok,
    says: ok ? said : `${said}, and its rotation is overdue: start the service, which rotates it`,
  }
}

function standby(ring: Ring): Finding {
  const next = scheduled(ring) ?? standbys(ring)[0]
  if (!next)
    return {
      check: 'standby',
      ok: false,
      says: 'there is no next key: start the service, which publishes one',
    }
  const eligibleIn = next.publishedAt + next.leastLead - ring.now
  const eligible =
    eligibleIn > 0 ? `eligible in ${Math.ceil(eligibleIn)} s` : 'eligible: it can sign at any time'
  return { check: 'standby', ok: true, says: `${next.kid} is ${eligible}` }
}

/** A database that was restored without `mintmark recover` keeps its server's identity: only verifiers can tell. */
export function feed(forks: number): Finding {
  const ok = forks === 0
  const says = ok
    ? 'no verifier remembers revocations that this database does not have'
    : 'a verifier remembers revocations that this database does not have: read docs/backup-and-upgrade.md, then run `mintmark recover`'
  return { check: 'feed', ok, says }
}

/** Opened for this and forgotten: it signs and its public half verifies (src/keys/signing-key.ts). */
async function half(key: Key, keks: KeyEncryptionKeys, issuer: string): Promise<Finding> {
  const check = `key ${key.kid}`
  if (!key.sealed || key.kekId === null)
    return { check, ok: true, says: 'only verifies: its private key was erased' }
  try {
    await openSealedKey(issuer, { ...key, sealed: key.sealed, kekId: key.kekId }, keks)
    return { check, ok: true, says: `can be opened with ${key.kekId}, signs and verifies` }
  } catch (error) {
    const says = `${(error as Error).message}, or the key was made for another issuer than ${issuer}: set ISSUER back if it has changed, or put the right file into MINTMARK_KEYS_FOLDER`
    return { check, ok: false, says }
  }
}
