/** The key ring for people: a table of times, and in words what signs, what is next, and how long a leak is felt. */
import { describeExposure } from '../keys/operations.js'
import { dueAt, scheduled, signerOf, standbys, stateOf } from '../keys/schedule.js'
import type { Key, Policy, Ring } from '../keys/store.js'
import { cell, table, time } from './table.js'

const heads = ['KEY', 'STATE', 'PUBLISHED', 'SIGNS FROM', 'SIGNS UNTIL', 'VERIFIES UNTIL', 'SEALED UNDER']

export function timeline(ring: Ring): string[] {
  if (ring.keys.length === 0) return ['No key yet: the service makes the first two when it starts.']
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
  if (!signer) return ['No key signs.']
  const next = scheduled(ring)
  const [standby] = standbys(ring)
  const change = next
    ? `${next.kid} takes over at ${at(next.signsFrom)}`
    : `rotation is due at ${time(dueAt(signer, ring.policy))}`
  return [
    `Now ${signer.kid} signs; ${change}.`,
    ...(standby ? [ready(standby, ring)] : ['No key stands by.']),
  ]
}

function ready({ kid, publishedAt, leastLead }: Key, { now }: Ring): string {
  const ripe = publishedAt + leastLead
  return `${kid} stands by: ${ripe <= now ? 'ready' : `ready from ${time(ripe)} on`}.`
}

/** From the change on. */
export function exposureInWords(policy: Policy): string[] {
  const { jwks, refreshing_verifiers, verifiers_in_outage, everything } = describeExposure(policy)
  return [
    'How long a leaked key is still believed, from now:',
    '  introspection, and this service   not any more',
    `  the published list                ${jwks} s at most, on every instance that reaches Postgres`,
    `  verifiers that refetch in time    ${refreshing_verifiers} s`,
    `  verifiers that can reach nothing  ${verifiers_in_outage} s`,
    `  behind an instance without Postgres  ${everything} s, the utmost`,
    'Verifiers that have not refetched meet the new kid as unknown until they do.',
  ]
}

const at = (seconds: number | null) => (seconds === null ? '-' : time(seconds))
const since = ({ since }: NonNullable<Key['compromised']>) =>
  since === null ? 'compromised' : `compromised since ${time(since)}`
