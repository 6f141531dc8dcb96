/** The key ring for users: a table of times, and in words what signs, what is next, and how long a leak is felt. */
import { describeExposure } from '../keys/operations.js'
import { dueAt, scheduled, signerOf, standbys, stateOf } from '../keys/schedule.js'
import type { Key, Policy, Ring } from '../keys/store.js'
import { cell, table, time } from './table.js'

const heads = ['KEY', 'STATE', 'PUBLISHED', 'SIGNS FROM', 'SIGNS UNTIL', 'VERIFIES UNTIL', 'SEALED UNDER']

export function timeline(ring: Ring): string[] {
  if (ring.keys.length === 0) return ['No keys yet: the service creates the first two when it starts.']
  const rows = ring.keys.map(key => [
    key.kid,
    key.compromised ? since(key.compromised) : stateOf(ring, key),
    time(key.publishedAt),
    at(key.signsFrom),
    at(key.signsUntil),
    at(key.unpublishedAt),
    cell(key.kekId),
  ])
  return [...table(heads)(rows), '', ...inWords(ring)]
}

function inWords(ring: Ring): string[] {
  const signer = signerOf(ring.keys, ring.now)
  if (!signer) return ['No key is signing.']
  const next = scheduled(ring)
  const [standby] = standbys(ring)
  const change = next
    ? `${next.kid} takes over at ${at(next.signsFrom)}`
    : `rotation is due at ${time(dueAt(signer, ring.policy))}`
  return [
    `${signer.kid} signs now; ${change}.`,
    ...(standby ? [ready(standby, ring)] : ['There is no next key.']),
  ]
}

function ready({ kid, publishedAt, leastLead }: Key, { now }: Ring): string {
  const eligibleAt = publishedAt + leastLead
  return `${kid} is next: ${eligibleAt <= now ? 'ready' : `eligible from ${time(eligibleAt)}`}.`
}

/** From the change on. */
export function exposureInWords(policy: Policy): string[] {
  const { jwks, refreshing_verifiers, verifiers_in_outage, everything } = describeExposure(policy)
  return [
    'How long signatures of a leaked key are still accepted, from now:',
    '  introspection and this service    rejected at once',
    `  the published key set             at most ${jwks} s, on every instance that reaches Postgres`,
    `  verifiers that fetch keys on time  ${refreshing_verifiers} s`,
    `  verifiers during an outage         ${verifiers_in_outage} s`,
    `  behind an instance without Postgres  ${everything} s, the maximum`,
    'Verifiers reject the new kid as unknown until they fetch the keys again.',
  ]
}

const at = (seconds: number | null) => (seconds === null ? '-' : time(seconds))
const since = ({ since }: NonNullable<Key['compromised']>) =>
  since === null ? 'compromised' : `compromised since ${time(since)}`
