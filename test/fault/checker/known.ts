/** What a history says of sessions, cookies and passwords by itself: who opened what, and which replaced which. */
import type { Entry } from '../history.js'

export interface Opened {
  readonly user: string
  readonly password: string | undefined
  readonly entry: Entry
}

export interface Known {
  readonly opened: ReadonlyMap<string, Opened>
  /** When Redis first lost rows, which may come back later. */
  readonly firstLoss: number
  /** The confirmed renewal that replaced this cookie. */
  readonly renewalOf: ReadonlyMap<string, Entry>
  /** Whether the secret of this cookie may be two renewals old by then: nothing then follows from its refusal. */
  mayBeForgotten(credential: string | undefined, by: number): boolean
  /** Whether the secret may have been replaced by then. */
  mayBeReplaced(credential: string | undefined, by: number): boolean
  /** Changes from this password that may have been made. */
  readonly changesFrom: ReadonlyMap<string, readonly Entry[]>
  /** What first proved that this password had been set. */
  readonly setBy: ReadonlyMap<string, Entry>
}

export function know(entries: readonly Entry[]): Known {
  const opened = new Map<string, Opened>()
  const renewalOf = new Map<string, Entry>()
  const renewedFrom = new Map<string, number>()
  const changesFrom = new Map<string, Entry[]>()
  const setBy = new Map<string, Entry>()
  let firstLoss = Number.POSITIVE_INFINITY
  for (const entry of entries) {
    const { op, user, credential, outcome, facts } = entry
    if (facts.opened !== undefined && user !== undefined && outcome === 'ok')
      opened.set(facts.opened, { user, password: facts.password, entry })
    const proved = outcome === 'ok' ? (facts.newPassword ?? facts.password) : undefined
    const before = proved === undefined ? undefined : setBy.get(proved)
    if (proved !== undefined && (!before || entry.end < before.end)) setBy.set(proved, entry)
    // With sessions in Redis the caller goes on under a new secret.
    const renews = op === 'end-others' && (facts.renewed !== undefined || outcome === 'unknown')
    if (op === 'Redis loses rows') firstLoss = Math.min(firstLoss, entry.start)
    if (op !== 'step-up' && op !== 'change-password' && !renews) continue
    if (outcome === 'refused' || credential === undefined) continue
    renewedFrom.set(
      credential,
      Math.min(entry.start, renewedFrom.get(credential) ?? Number.POSITIVE_INFINITY),
    )
    if (outcome === 'ok') renewalOf.set(credential, entry)
    if (op !== 'change-password' || facts.password === undefined) continue
    const changes = changesFrom.get(facts.password)
    if (changes) changes.push(entry)
    else changesFrom.set(facts.password, [entry])
  }
  const mayBeReplaced = (credential: string | undefined, by: number) =>
    credential !== undefined && (renewedFrom.get(credential) ?? Number.POSITIVE_INFINITY) < by
  return {
    opened,
    firstLoss,
    renewalOf,
    changesFrom,
    setBy,
    mayBeReplaced,
    mayBeForgotten(credential, by) {
      const next = credential === undefined ? undefined : renewalOf.get(credential)?.facts.renewed
      return mayBeReplaced(next, by)
    },
  }
}
