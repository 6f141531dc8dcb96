/**
 * P7 in a history: what a verifier that follows the feed says of a token. None that is connected accepts what was revoked a
 * second ago, none refuses for a change that had returned before the mint, and `required` accepts nothing in the dark.
 */
import type { Entry, FeedFacts, TokenFacts, Violation } from '../history.js'
import type { Endings } from './endings.js'

/** Milliseconds after which every connected verifier refuses. */
const promised = 1000
/** Between the reading of the verifier's health and its judgement. */
const slack = 100
/** Of times that were reckoned from seconds. */
const rounding = 1

type Verification = Entry & { readonly facts: { readonly token: TokenFacts; readonly feed: FeedFacts } }

export function verifications(entries: readonly Entry[], ends: Endings): Violation[] {
  const changes = new Changes(entries)
  return entries
    .filter((entry): entry is Verification => entry.op === 'verify' && !!entry.facts.feed)
    .flatMap(entry => judge(entry, changes, ends) ?? [])
}

function judge(entry: Verification, changes: Changes, ends: Endings): Violation | undefined {
  if (entry.outcome === 'ok') return inTheDark(entry) ?? late(entry, changes, ends)
  if (entry.code !== 'stale_token' || changes.mayConcern(entry)) return undefined
  const says = 'every change that concerns the token had returned before its mint began, or came later'
  return { rule: 'stale without cause', says, entries: [entry] }
}

function inTheDark(entry: Verification): Violation | undefined {
  const { mode, mostAge, askedAt = Number.NEGATIVE_INFINITY } = entry.facts.feed
  if (mode !== 'required' || entry.start <= askedAt + mostAge + slack) return undefined
  const says = `its last answer was asked for at ${askedAt} ms, and it accepted after more than ${mostAge} ms`
  return { rule: 'accept in the dark', says, entries: [entry] }
}

function late(entry: Verification, changes: Changes, ends: Endings): Violation | undefined {
  const { token, feed } = entry.facts
  const ended = entry.session === undefined ? undefined : ends.known(entry.session)
  const cause = [ended && { at: ended.at, entry: ended.entry }, changes.taken(token)]
    .filter(one => one !== undefined)
    .sort((one, other) => one.at - other.at)[0]
  if (!cause) return undefined
  const rule = 'late accept at a verifier'
  if (feed.knows !== undefined && cause.at < feed.knows - rounding) {
    const says = `it says that it has every revocation up to ${feed.knows} ms, and accepts what this one took`
    return { rule, says, entries: [cause.entry, entry] }
  }
  const { connectedSince } = feed
  if (feed.knows === undefined || connectedSince === undefined) return undefined
  if (entry.start <= Math.max(cause.at, connectedSince) + promised) return undefined
  const says = `it is connected and fresh, and accepts more than ${promised} ms after this had returned`
  return { rule, says, entries: [cause.entry, entry] }
}

const everybody = ''

/** Whatever may take something from a token: by whom it concerns. */
class Changes {
  readonly #of = new Map<string, Entry[]>()

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      if (entry.outcome === 'refused') continue
      for (const key of concerns(entry)) {
        const list = this.#of.get(key)
        if (list) list.push(entry)
        else this.#of.set(key, [entry])
      }
    }
  }

  /** Whether one of them may have come between the mint and the refusal. */
  mayConcern({ user, session, end, facts: { token } }: Verification): boolean {
    const keys = [everybody, `user ${user}`, `session ${session}`, `membership ${token.membership}`]
    return keys.some(key =>
      this.#of
        .get(key)
        ?.some(
          change => change.start < end && (change.outcome === 'unknown' || change.end >= token.mintedAt),
        ),
    )
  }

  /** The first confirmed change after the version that the token shows: each takes the role of before. */
  taken({ membership, version, mintedAt }: TokenFacts): { at: number; entry: Entry } | undefined {
    if (membership === undefined || version === undefined) return undefined
    const entry = this.#of
      .get(`membership ${membership}`)
      ?.find(one => one.outcome === 'ok' && Number(one.facts.version) > version && one.end > mintedAt)
    return entry && { at: entry.end, entry }
  }
}

const ofUser = new Set<Entry['op']>([
  'change-password',
  'end-others',
  'end-all',
  'operator ends all of a user',
  'operator disables',
])
const ofSession = new Set<Entry['op']>(['sign-in', 'sign-out', 'step-up'])
const ofAll = new Set<Entry['op']>(['operator ends all there are', 'Redis loses rows'])

function concerns({ op, user, session, target, facts }: Entry): string[] {
  if (ofAll.has(op)) return [everybody]
  if (ofUser.has(op)) return [`user ${user}`]
  // With sessions in Redis a step-up goes on under a new id, and the old one dies.
  if (ofSession.has(op) && session !== undefined) return [`session ${session}`]
  if (op === 'end-one' || op === 'operator ends one') return [`session ${target}`]
  return op === 'operator changes a membership' ? [`membership ${facts.membership}`] : []
}
