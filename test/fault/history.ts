/** What was asked, when, and what came of it: the words in which clients write and the checker reads. */

/** What a person or their device does, and what an operator does. */
export type Op =
  /** A session that was put into the table before anything began. */
  | 'seeded'
  | 'sign-in'
  | 'check'
  | 'mint'
  | 'list'
  | 'switch'
  | 'step-up'
  | 'change-password'
  | 'sign-out'
  | 'end-one'
  | 'end-others'
  | 'end-all'
  | 'operator ends one'
  | 'operator ends all of a user'
  | 'operator ends all there are'
  | 'operator disables'
  | 'operator enables'
  | 'operator changes a membership'
  /** Rows that lay in Redis are gone, and may come back. */
  | 'Redis loses rows'
  /** Is this session accepted again, some seconds after all faults are over? */
  | 'healed'
  /** A token that was minted before, at a verifier that follows the feed of an instance. */
  | 'verify'

/** `unknown`: it may or may not have happened, and may happen later. */
export type Outcome = 'ok' | 'refused' | 'unknown'

export interface Entry {
  readonly client: string
  readonly op: Op
  /** The instance that was asked, by number. */
  readonly instance?: number
  /** Milliseconds of one monotonic clock: taken before sending, and after the whole answer. */
  readonly start: number
  readonly end: number
  readonly outcome: Outcome
  readonly status?: number
  /** Of the problem document. */
  readonly code?: string
  /** Whose session or account it is about. */
  readonly user?: string
  /** The session whose cookie was sent. */
  readonly session?: string
  /** Which of that session's cookies, in order, as `session#0`. */
  readonly credential?: string
  /** The session that was to end. */
  readonly target?: string
  readonly facts: Facts
}

export interface Facts {
  /** The session that was opened, and the password that opened it. */
  readonly opened?: string
  readonly password?: string
  /** Password change: the one set instead of `password`. */
  readonly newPassword?: string
  /** The cookie that replaced `credential`. */
  readonly renewed?: string
  /** Whose answer it says it is. */
  readonly sub?: string
  readonly sid?: string
  /** Membership: which one, and the version of it that was set or seen; `lost` is no active membership. */
  readonly membership?: string
  readonly version?: number | 'lost'
  /** A change that suspends: who sees it sees `lost`. */
  readonly suspends?: boolean
  /** Of the token that was verified. */
  readonly token?: TokenFacts
  /** Of the verifier, just before it was asked. */
  readonly feed?: FeedFacts
}

export interface TokenFacts {
  /** When its mint began. */
  readonly mintedAt: number
  readonly membership?: string
  readonly version?: number
}

export interface FeedFacts {
  readonly mode: 'required' | 'preferred'
  /** Milliseconds that the feed may be old, by the verifier's own setting. */
  readonly mostAge: number
  /** Up to when it has every revocation, by its own health; undefined unless it calls itself fresh. */
  readonly knows?: number
  /** Since when nothing stands between it and the database, or has stood there since; undefined while something does. */
  readonly connectedSince?: number
  /** When the request was sent whose answer was the last one that came from the service; undefined before the first. */
  readonly askedAt?: number
}

export class History {
  readonly entries: Entry[] = []
  /** A session keeps its first id here, whatever ids its later proofs get. */
  readonly #firstIds = new Map<string, string>()

  goesOn(session: string, id: string): void {
    this.#firstIds.set(id, session)
  }

  sessionOf(id: string): string {
    return this.#firstIds.get(id) ?? id
  }

  add(entry: Entry): Entry {
    this.entries.push(entry)
    return entry
  }

  /** Takes the time around `work`, which answers the rest. */
  async record(
    what: Omit<Entry, 'start' | 'end' | 'outcome' | 'facts'>,
    work: () => Promise<Told>,
  ): Promise<Entry> {
    const start = performance.now()
    const told = await work()
    return this.add({ ...what, start, end: performance.now(), ...told })
  }
}

export type Told = Pick<Entry, 'outcome' | 'facts'> & Partial<Entry>

export interface Violation {
  readonly rule: string
  readonly says: string
  /** What contradicts each other. */
  readonly entries: readonly Entry[]
}

export function describe({ rule, says, entries }: Violation): string {
  return [`${rule}: ${says}`, ...entries.map(entry => `    ${line(entry)}`)].join('\n')
}

/** One of each rule, and how many more there are. */
export function summarise(violations: readonly Violation[]): string[] {
  const byRule = new Map<string, Violation[]>()
  for (const violation of violations) {
    // A claim is a rule of its own schedule: what it says tells it from others.
    const kind = violation.rule === 'claim' ? violation.says : violation.rule
    const same = byRule.get(kind)
    if (same) same.push(violation)
    else byRule.set(kind, [violation])
  }
  return [...byRule.values()].map(([first, ...more]) => {
    const rest = more.length === 0 ? '' : `\n    and ${more.length} more of this kind`
    return first ? describe(first) + rest : ''
  })
}

export function line(entry: Entry): string {
  const { client, op, instance, start, end, outcome, status, code, credential, target, user, facts } = entry
  const where = instance === undefined ? '' : ` at ${instance}`
  const about = [credential, target && `target ${target}`, user && `user ${user}`].filter(Boolean).join(', ')
  const answer = [outcome, status, code].filter(part => part !== undefined).join(' ')
  return `${start.toFixed(1)}–${end.toFixed(1)} ms  ${client}${where}: ${op} (${about}) → ${answer} ${JSON.stringify(facts)}`
}
