/** P4 in a history: whoever was refused had been ended, disabled or outdated by somebody; an outage is no 401. */
import type { Entry, Violation } from '../history.js'
import type { Endings } from './endings.js'
import type { Known } from './known.js'

/** It says that the session is gone for good. The secret before the present one is told something else. */
export function seenGone(entry: Entry, known: Known): boolean {
  return (
    entry.outcome === 'refused' &&
    entry.code === 'unauthenticated' &&
    entry.session !== undefined &&
    !known.mayBeForgotten(entry.credential, entry.end)
  )
}

export function refusedLiving(entries: readonly Entry[], known: Known, ends: Endings): Violation[] {
  return [...sessions(entries, known, ends), ...signIns(entries, known)]
}

function sessions(entries: readonly Entry[], known: Known, ends: Endings): Violation[] {
  const violations: Violation[] = []
  for (const entry of entries) {
    const { session } = entry
    const opening = session === undefined ? undefined : known.opened.get(session)?.entry
    if (session === undefined || !opening || !seenGone(entry, known)) continue
    const cause = ends.possible(session)
    if (cause && cause.at < entry.end) continue
    const says = `session ${session} was refused as gone, and nothing had ended it`
    violations.push({ rule, says, entries: [opening, entry] })
  }
  return violations
}

const rule = 'refused without cause'

function signIns(entries: readonly Entry[], known: Known): Violation[] {
  const disabled = new Map<string, number>()
  for (const { op, user, start, outcome } of entries) {
    if (op !== 'operator disables' || outcome === 'refused' || user === undefined) continue
    if (!disabled.has(user)) disabled.set(user, start)
  }
  const violations: Violation[] = []
  for (const entry of entries) {
    const { op, code, user = '', facts } = entry
    if (op !== 'sign-in' || code !== 'invalid_credentials' || facts.password === undefined) continue
    const set = known.setBy.get(facts.password)
    if (!set || set.end > entry.start) continue
    const changes = known.changesFrom.get(facts.password) ?? []
    if (changes.some(({ start }) => start < entry.end)) continue
    if ((disabled.get(user) ?? Number.POSITIVE_INFINITY) < entry.end) continue
    const says = 'the password is right, and nobody had changed it or disabled the person'
    violations.push({ rule, says, entries: [set, entry] })
  }
  return violations
}
