/** P3 in a history: whoever asks after a confirmed change of a membership sees it, or a later one. */
import type { Entry, Violation } from '../history.js'

/** The changes of one membership follow each other: each is over before the next begins. */
export function staleMemberships(entries: readonly Entry[]): Violation[] {
  const changes = new Map<string, Entry[]>()
  for (const entry of entries) {
    const { op, outcome, facts } = entry
    if (op !== 'operator changes a membership' || outcome === 'refused' || facts.membership === undefined)
      continue
    const list = changes.get(facts.membership)
    if (list) list.push(entry)
    else changes.set(facts.membership, [entry])
  }
  const violations: Violation[] = []
  for (const entry of entries) {
    const { op, facts } = entry
    const { membership, version } = facts
    if (op === 'operator changes a membership' || membership === undefined || version === undefined) continue
    const contradiction = judge(entry, version, changes.get(membership) ?? [])
    if (contradiction) violations.push(contradiction)
  }
  return violations
}

function judge(entry: Entry, seen: number | 'lost', changes: readonly Entry[]): Violation | undefined {
  const rule = 'roles of before'
  const place = lastConfirmed(changes, entry.start)
  const last = changes[place]
  if (seen !== 'lost') {
    if (!last || seen >= Number(last.facts.version)) return undefined
    const says = `version ${last.facts.version} was confirmed before it began, and it saw version ${seen}`
    return { rule, says, entries: [last, entry] }
  }
  if (last?.facts.suspends) return undefined
  for (let next = place + 1; next < changes.length; next++) {
    const change = changes[next] as Entry
    if (change.start > entry.end) break
    if (change.facts.suspends) return undefined
  }
  const says = `nothing had taken the membership away, and it was refused as lost`
  return { rule: 'a membership refused without cause', says, entries: last ? [last, entry] : [entry] }
}

/** The place of the last change that was confirmed before `moment`; -1 when none was. */
function lastConfirmed(changes: readonly Entry[], moment: number): number {
  let low = 0
  let high = changes.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((changes[middle] as Entry).end < moment) low = middle + 1
    else high = middle
  }
  let place = low - 1
  while (place >= 0 && changes[place]?.outcome !== 'ok') place--
  return place
}
