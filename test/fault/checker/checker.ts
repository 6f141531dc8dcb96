/** Judges a history: every pair of operations that cannot both be true of a service that keeps P1, P3, P4 and P7. Pure. */
import type { Entry, Violation } from '../history.js'
import { type Endings, endings } from './endings.js'
import { type Known, know } from './known.js'
import { staleMemberships } from './memberships.js'
import { refusedLiving, seenGone } from './refusals.js'
import { verifications } from './verifications.js'

/** After the end, in the tables of the primary: the sessions that a check would let in. */
export type Living = ReadonlySet<string>

/** Linear in the history but for sorting and binary searches. Without `living` the tables were not looked at. */
export function check(history: readonly Entry[], living?: Living): Violation[] {
  const entries = [...history].sort((a, b) => a.start - b.start)
  const known = know(entries)
  const ends = endings(entries, known)
  return [
    ...unexpected(entries),
    ...foreign(entries, known),
    ...lateAccepts(entries, known, ends),
    ...refusedLiving(entries, known, ends),
    ...staleMemberships(entries),
    ...verifications(entries, ends),
    ...(living ? unknownToThePrimary(known, ends, living) : []),
    ...(living ? notHealed(entries, living) : []),
  ]
}

/** Whoever is let in by a session says that it lives. */
const lettingIn = new Set<Entry['op']>([
  'check',
  'mint',
  'list',
  'switch',
  'step-up',
  'change-password',
  'end-one',
  'end-others',
  'end-all',
  'healed',
])

/** The session that this operation proves alive, if it does. */
function acceptedSession({ op, outcome, session, facts }: Entry): string | undefined {
  if (outcome !== 'ok') return undefined
  if (op === 'sign-in') return facts.opened
  return lettingIn.has(op) ? session : undefined
}

function lateAccepts(entries: readonly Entry[], known: Known, ends: Endings): Violation[] {
  const violations: Violation[] = []
  const gone = new Map<string, Entry>()
  for (const entry of entries) {
    if (!seenGone(entry, known) || entry.session === undefined) continue
    // Nobody had ended it: its row was lost with others, and may come back with them.
    if (known.firstLoss < entry.end) continue
    const before = gone.get(entry.session)
    if (!before || entry.end < before.end) gone.set(entry.session, entry)
  }
  for (const entry of entries) {
    const session = acceptedSession(entry)
    if (session === undefined) continue
    const end = ends.known(session)
    if (end && end.at < entry.start) {
      const says = `session ${session} was accepted after its end had been confirmed`
      violations.push({ rule: 'late accept', says, entries: [end.entry, entry] })
    }
    const refusal = gone.get(session)
    if (refusal && refusal.end < entry.start) {
      const says = `session ${session} was accepted after it had been seen gone`
      violations.push({ rule: 'accept after gone', says, entries: [refusal, entry] })
    }
    const renewal = entry.credential === undefined ? undefined : known.renewalOf.get(entry.credential)
    if (renewal && renewal.end < entry.start) {
      const says = `${entry.credential} was accepted after its secret had been replaced`
      violations.push({ rule: 'superseded secret', says, entries: [renewal, entry] })
    }
  }
  return violations
}

function foreign(entries: readonly Entry[], known: Known): Violation[] {
  const violations: Violation[] = []
  for (const entry of entries) {
    const { sub, sid } = entry.facts
    const session = acceptedSession(entry)
    if (session === undefined) continue
    const owner = known.opened.get(session)
    if ((sub === undefined || sub === owner?.user) && (sid === undefined || sid === session)) continue
    const says = `asked with session ${session} of ${owner?.user}, answered about ${sid} of ${sub}`
    violations.push({ rule: 'data of another', says, entries: owner ? [owner.entry, entry] : [entry] })
  }
  return violations
}

function unknownToThePrimary(known: Known, ends: Endings, living: Living): Violation[] {
  const violations: Violation[] = []
  for (const session of living) {
    const end = ends.known(session)
    if (!end) continue
    const says = `session ${session} was ended with success, and lives in the tables of the primary`
    const opening = known.opened.get(session)?.entry
    violations.push({
      rule: 'an end that the primary does not know',
      says,
      entries: opening ? [opening, end.entry] : [end.entry],
    })
  }
  return violations
}

function notHealed(entries: readonly Entry[], living: Living): Violation[] {
  return entries
    .filter(({ op, outcome, session }) => op === 'healed' && outcome !== 'ok' && living.has(session ?? ''))
    .filter(({ code }) => code !== 'session_superseded')
    .map(entry => ({
      rule: 'not healed',
      says: `session ${entry.session} lives, and is not accepted after all faults are over`,
      entries: [entry],
    }))
}

/** What no client may ever see, whatever befalls the servers. */
function unexpected(entries: readonly Entry[]): Violation[] {
  const expected = new Set([200, 201, 204, 401, 403, 404, 409, 429, 503])
  return entries
    .filter(({ status }) => status !== undefined && !expected.has(status))
    .map(entry => ({ rule: 'unexpected answer', says: `${entry.status} ${entry.code}`, entries: [entry] }))
}
