/** When a session is known to have ended, and when it may have: from whatever ends one, all of a person's, or all. */
import type { Entry } from '../history.js'
import { type Cover, cover, type Event } from './cover.js'
import type { Known } from './known.js'

export interface Endings {
  /** The earliest confirmed end of this session: from `at` on nobody may be let in by it. */
  known(session: string): Event | undefined
  /** The earliest moment at which something may have ended it. */
  possible(session: string): Event | undefined
}

const everybody = ''

export function endings(entries: readonly Entry[], known: Known): Endings {
  const enables = new Map<string, Entry[]>()
  for (const entry of entries) {
    if (entry.op === 'operator enables' && entry.user !== undefined) push(enables, entry.user, entry)
  }
  const whose = (session: string) => known.opened.get(session)?.user
  const confirmed = collect(entries, whose, entry => confirm(entry, enables, known))
  const possible = collect(entries, whose, suspect)
  const passwords = passwordEnds(known)
  return {
    known(session) {
      const opening = known.opened.get(session)
      if (!opening) return undefined
      const byPassword = opening.password === undefined ? undefined : passwords(opening.password, session)
      return earlier(confirmed(session, opening.entry.end), byPassword)
    },
    possible: session => possible(session, known.opened.get(session)?.entry.start ?? 0),
  }
}

type Judge = (entry: Entry) => { openedBefore: number; at: number } | undefined

/** Ended for sure: sessions opened before it began, from its end on. */
function confirm(entry: Entry, enables: ReadonlyMap<string, Entry[]>, known: Known): ReturnType<Judge> {
  if (entry.outcome !== 'ok' || entry.op === 'Redis loses rows') return undefined
  const { op, start, end, credential } = entry
  // A cookie two renewals old ends nothing: signing out with it only clears it.
  if (op === 'sign-out' && known.mayBeForgotten(credential, end)) return undefined
  // Signing in over a cookie ends its session only while that cookie is the present one.
  if (op === 'sign-in' && known.mayBeReplaced(credential, end)) return undefined
  if (op === 'operator disables') {
    return { openedBefore: Math.max(start, nextEnable(enables.get(entry.user ?? '') ?? [], entry)), at: end }
  }
  return { openedBefore: start, at: end }
}

/** While disabled nobody signs in: what was opened before anybody began to enable is dead, however late. */
function nextEnable(enables: readonly Entry[], disable: Entry): number {
  let next = Number.POSITIVE_INFINITY
  for (const { start, end, outcome } of enables) {
    if (outcome === 'refused') continue
    if (end > disable.start || outcome === 'unknown') next = Math.min(next, start)
  }
  return next
}

function suspect({ op, outcome, start, end }: Entry): ReturnType<Judge> {
  if (op === 'Redis loses rows') return { openedBefore: end, at: start }
  if (outcome === 'refused') return undefined
  return { openedBefore: outcome === 'unknown' ? Number.POSITIVE_INFINITY : end, at: start }
}

/** Which sessions an operation ends: one, those of a user, or everybody's. */
function scope(entry: Entry): { one: string } | { of: string; except?: string } | undefined {
  const { op, session, target, user } = entry
  if (op === 'sign-out' && session !== undefined) return { one: session }
  if (op === 'sign-in' && session !== undefined) return { one: session }
  if ((op === 'end-one' || op === 'operator ends one') && target !== undefined) return { one: target }
  if (op === 'operator ends all there are' || op === 'Redis loses rows') return { of: everybody }
  if (user === undefined) return undefined
  if (op === 'end-others' || op === 'change-password')
    return { of: user, ...(session !== undefined && { except: session }) }
  if (op === 'end-all' || op === 'operator ends all of a user' || op === 'operator disables')
    return { of: user }
  return undefined
}

function collect(entries: readonly Entry[], userOf: (session: string) => string | undefined, judge: Judge) {
  const ones = new Map<string, Event>()
  const many = new Map<string, Event[]>()
  for (const entry of entries) {
    const whose = scope(entry)
    const when = whose && judge(entry)
    if (!whose || !when) continue
    const event = { ...when, except: 'of' in whose ? whose.except : undefined, entry }
    if ('one' in whose) ones.set(whose.one, earlier(ones.get(whose.one), event) as Event)
    else push(many, whose.of, event)
  }
  const covers = new Map<string, Cover>([...many].map(([of, events]) => [of, cover(events)]))
  return (session: string, opened: number) => {
    return [userOf(session), everybody]
      .map(of => (of === undefined ? undefined : covers.get(of)?.earliest(opened, session)))
      .reduce(earlier, ones.get(session))
  }
}

/** A session opened by a password ends with the first confirmed change of that password or of one that came after. */
function passwordEnds(known: Known) {
  return (password: string, session: string): Event | undefined => {
    let first: Event | undefined
    const seen = new Set<string>()
    for (const due = [password]; due.length > 0; ) {
      const from = due.pop() as string
      if (seen.has(from)) continue
      seen.add(from)
      for (const entry of known.changesFrom.get(from) ?? []) {
        if (entry.facts.newPassword !== undefined) due.push(entry.facts.newPassword)
        if (entry.outcome !== 'ok' || entry.session === session) continue
        first = earlier(first, { openedBefore: entry.start, at: entry.end, except: entry.session, entry })
      }
    }
    return first
  }
}

function earlier(a: Event | undefined, b: Event | undefined): Event | undefined {
  if (!a || !b) return a ?? b
  return b.at < a.at ? b : a
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}
