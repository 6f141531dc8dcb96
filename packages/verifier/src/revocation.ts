/** Owns the judgement of a token by the feed of revocations: what is dead, what is too old to tell, and who is told. */
import type { Cache } from './cache.js'
import { type Clock, monotonic } from './clock.js'
import { Feed } from './feed.js'
import { openSender } from './feed-request.js'
import { FeedState } from './feed-state.js'
import { handleOf } from './handles.js'
import type { RevocationHealth } from './health.js'
import { KeyRefresh } from './key-refresh.js'
import type { IssuerKeys } from './keys.js'
import type { OnlineOptions, RevocationOptions } from './options.js'
import type { Principal, TokenClaims } from './principal.js'
import { type Refused, type RevocationFault, refused } from './refusal.js'
import { type Grounds, Watches } from './watches.js'

interface Parts {
  readonly options: OnlineOptions
  readonly settings: Required<RevocationOptions>
  readonly clock: Clock
  readonly keys: IssuerKeys
  readonly cache: Cache
}

/** What is kept for the next start is written no more often, and without news once in a minute. */
const saveMilliseconds = 5_000
const quietMilliseconds = 60_000
/** The issuer waits three seconds for news, and an answer is as old as its request: one second more is for the way. */
const longestWait = 3

export function openRevocation(parts: Parts): Revocation {
  return new Revocation(parts)
}

export class Revocation {
  readonly #settings: Required<RevocationOptions>
  readonly #clock: Clock
  readonly #cache: Cache
  readonly #keys: IssuerKeys
  readonly #state: FeedState
  readonly #feed: Feed
  readonly #watches = new Watches()
  /** Of the principals that this verifier has answered with. */
  readonly #grounds = new WeakMap<Principal, Grounds>()
  #restoring: Promise<void> | undefined
  #isRestored = false
  #saved = { head: -1, generation: undefined as number | undefined, at: Number.NEGATIVE_INFINITY }
  #cancelSave: (() => void) | undefined
  #cancelAge = () => {}

  constructor({ options, settings, clock, keys, cache }: Parts) {
    this.#settings = settings
    this.#clock = clock
    this.#cache = cache
    this.#keys = keys
    const refresh = new KeyRefresh(keys, clock)
    this.#state = new FeedState(
      keys.killed,
      () => refresh.kids(),
      (handles, generation) => this.#watches.died(handles, generation),
    )
    const wait = Math.min(Math.floor((settings.maxAgeSeconds - 2) / 2), longestWait)
    const parts = {
      issuer: options.issuer,
      url: settings.url,
      serviceKey: options.serviceKey,
      sender: openSender(options.fetch),
      clock,
      state: this.#state,
      keys: refresh,
      restored: () => this.#restored(),
      answered: () => this.#answered(),
    }
    this.#feed = new Feed(parts, wait)
  }

  /** Begins to follow the feed. What was kept is known afterwards. */
  begin(): Promise<void> | undefined {
    this.#feed.start()
    return this.#isRestored ? undefined : this.#restored()
  }

  /** Undefined: nothing is known against it. A dead token wins over an old feed. */
  judge(grounds: Grounds): Refused<RevocationFault> | undefined {
    if (this.#isStale(grounds)) return refused('stale_token')
    const fault = faultByMode(grounds, this.#settings, this.age(grounds))
    return fault === 'revocation_unknown' ? this.#unknown() : fault && refused(fault)
  }

  /** The same without the mode: for an answer that rests on the issuer's own word. */
  judgeDead(grounds: Grounds): Refused<'stale_token'> | undefined {
    return this.#isStale(grounds) ? refused('stale_token') : undefined
  }

  /** Killed, and in the list still: what it signed is stale. Once it is not listed it is as unknown as any other. */
  isDeadKey(kid: string): boolean {
    return this.#keys.killed.has(kid) && this.#keys.known()?.keys.has(kid) === true
  }

  issued(principal: Principal, grounds: Grounds | undefined): void {
    if (grounds) this.#grounds.set(principal, grounds)
  }

  groundsOf(principal: Principal): Grounds | undefined {
    return this.#grounds.get(principal)
  }

  signal(principal: Principal, until: AbortSignal | undefined): AbortSignal {
    const grounds = this.#grounds.get(principal)
    if (!grounds) throw new TypeError('signal takes a principal that this verifier has answered with')
    this.#feed.start()
    if (this.#isStale(grounds)) return AbortSignal.abort(refused('stale_token'))
    if (this.#isSilent()) return AbortSignal.abort(this.#unknown())
    const signal = this.#watches.add(grounds, until)
    this.#watchAge()
    return signal
  }

  /** Seconds; infinite when it is not complete, or says nothing of the generation of a token. */
  age(grounds?: Grounds): number {
    if (this.#state.isUnheard(grounds?.generation)) return Number.POSITIVE_INFINITY
    return this.#state.age(monotonic(this.#clock), this.#clock.now())
  }

  /** A route wants it younger than it is: the issuer shall not wait so long for news. */
  wantYounger(): void {
    if (this.#feed.wait <= 1) return
    this.#feed.wait = 1
    this.#feed.hurry()
  }

  ready(): Promise<void> {
    return this.#feed.ready()
  }

  health(): RevocationHealth {
    const { mode, maxAgeSeconds } = this.#settings
    const { generation, entries, head, isLoading, wasLoaded } = this.#state
    const { fault } = this.#feed
    const age = this.age()
    const isOnTheWay = fault === undefined && (isLoading || !wasLoaded)
    const state = age <= maxAgeSeconds ? 'fresh' : isOnTheWay ? 'loading' : 'stale'
    const ageSeconds = Number.isFinite(age) ? age : undefined
    return { mode, state, ageSeconds, entries, generation, head, ...(fault !== undefined && { fault }) }
  }

  close(): void {
    this.#feed.close()
    this.#cancelAge()
    this.#cancelSave?.()
    this.#cancelSave = undefined
  }

  #isStale(grounds: Grounds): boolean {
    if (this.#state.isUnheard(grounds.generation)) this.#feed.hurry()
    return isStale(grounds, this.#state)
  }

  #unknown(): Refused<'revocation_unknown'> {
    return refused('revocation_unknown', { retryAfterSeconds: this.#feed.retryAfterSeconds })
  }

  #restored(): Promise<void> {
    this.#restoring ??= this.#cache.load().then(({ feed }) => {
      if (feed) this.#state.restore(feed)
      this.#isRestored = true
    })
    return this.#restoring
  }

  #answered(): void {
    this.#watches.reached(this.#state.generation)
    this.#watchAge()
    this.#save()
  }

  /** Where the feed is required, connections end with it. A reload alone ends none. */
  #isSilent(): boolean {
    return this.#settings.mode === 'required' && this.#silence() > this.#settings.maxAgeSeconds
  }

  #silence(): number {
    return this.#state.silence(monotonic(this.#clock), this.#clock.now())
  }

  #watchAge(): void {
    this.#cancelAge()
    if (this.#settings.mode !== 'required' || this.#watches.size === 0) return
    if (this.#isSilent()) {
      this.#watches.endAll(this.#unknown())
      return
    }
    const left = (this.#settings.maxAgeSeconds - this.#silence()) * 1000
    this.#cancelAge = this.#clock.after(Math.ceil(left) + 1, () => this.#watchAge())
  }

  #save(): void {
    if (this.#cancelSave || !this.#cache.keeps) return
    const { head, generation } = this.#state
    const since = monotonic(this.#clock) - this.#saved.at
    const isNews = head !== this.#saved.head || generation !== this.#saved.generation
    if (!isNews && since < quietMilliseconds) return
    const write = () => {
      this.#cancelSave = undefined
      const kept = this.#state.kept()
      if (!kept) return
      const { generation: of } = kept
      this.#saved = { head: this.#state.head, generation: of, at: monotonic(this.#clock) }
      this.#cache.saveFeed(kept)
    }
    if (since >= saveMilliseconds) write()
    else this.#cancelSave = this.#clock.after(saveMilliseconds - since, write)
  }
}

/** A handle is dead, or the generation is over. */
export function isStale({ generation, handles, key }: Grounds, state: FeedState): boolean {
  if (state.isDead(key)) return true
  for (const handle of handles) if (state.isDead(handle, generation)) return true
  return generation !== undefined && state.generation !== undefined && generation < state.generation
}

/** What is wrong with a token that is not known to be stale. */
export function faultByMode(
  { generation }: Grounds,
  { mode, maxAgeSeconds }: Required<RevocationOptions>,
  ageSeconds: number,
): RevocationFault | undefined {
  if (mode !== 'required') return undefined
  // Minted by an earlier release, which listed nothing.
  if (generation === undefined) return 'stale_token'
  return ageSeconds <= maxAgeSeconds ? undefined : 'revocation_unknown'
}

/** Of a token, with the handle of its session, and that of the key that signed it. */
export function groundsOf({ sid, rev }: TokenClaims, kid: string): Grounds {
  const session = handleOf(sid)
  const handles = [...(rev?.handles ?? []), ...(session === undefined ? [] : [session])]
  return { generation: rev?.generation, handles, key: handleOf(kid) ?? '' }
}
