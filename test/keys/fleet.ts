/** A fleet in simulated time: instances that sleep and lose Postgres, verifiers with caches of every age, months of them. */

import type { Kid } from '../../src/core/principal.js'
import { isPublished, maintenance, rotation, signerOf } from '../../src/keys/schedule.js'
import type { Key, Plan, Policy, Ring } from '../../src/keys/store.js'
import { type Chance, chance as seeded } from '../fault/random/prng.js'
import { defaultPolicy, keyAt } from '../support/keys.js'

/** What is replaced by a mistake, to see that the simulation would tell. */
export interface Build {
  /** What an instance does whenever it looks. */
  readonly maintenance: typeof maintenance
  /** The kid that an instance signs with: what the statement chose, unless it is mistaken. */
  readonly kid: (chosen: Kid | undefined, instance: Instance, now: number) => Kid | undefined
  /** What a verifier keeps of a list that it has fetched. */
  readonly keep: (known: ReadonlySet<Kid>, fetched: ReadonlySet<Kid>) => ReadonlySet<Kid>
}

export const sound: Build = {
  maintenance,
  kid: chosen => chosen,
  keep: (_known, fetched) => fetched,
}

export interface Instance {
  /** Seconds by which its own clock is wrong. */
  readonly skew: number
  /** Spans in which it reaches no Postgres; in half of them it sleeps and answers nobody either. */
  readonly cuts: readonly Span[]
  /** The ring as it last read it. */
  memory: Ring
}

interface Span {
  readonly from: number
  readonly until: number
  readonly asleep: boolean
}

interface Verifier {
  readonly cuts: readonly Span[]
  known: ReadonlySet<Kid>
  fetchedAt: number
  triedAt: number
}

export interface Outcome {
  readonly rotations: number
  readonly minted: number
  readonly verified: number
  /** Tokens that lived and were refused. */
  readonly refused: number
  /** Tokens of keys that were gone everywhere and were accepted. */
  readonly forged: number
}

/** As tight as the database allows. */
const policy: Policy = { ...defaultPolicy, lead: 7560, tail: 4560, rotateEvery: 20_000, jitterPercent: 30 }
const lookEvery = 5
const maxAge = 300
const cooldown = 30

export function simulate(seed: number, days: number, build: Build = sound): Outcome {
  const chance = seeded(seed)
  const end = days * 86_400
  const empty: Ring = { now: 0, policy, keys: [], feedPosition: '0.0' }
  const versions: { at: number; keys: readonly Key[] }[] = [{ at: 0, keys: [] }]
  const instances: Instance[] = Array.from({ length: 4 }, () => ({
    skew: chance.between(-7200, 7200),
    cuts: spans(chance, end, 40_000, 3 * policy.listAge),
    memory: empty,
  }))
  const verifiers: Verifier[] = Array.from({ length: 6 }, () => ({
    cuts: spans(chance, end, 20_000, policy.verifierAge),
    known: new Set<Kid>(),
    fetchedAt: Number.NEGATIVE_INFINITY,
    triedAt: Number.NEGATIVE_INFINITY,
  }))
  const counts = { rotations: 0, minted: 0, verified: 0, refused: 0, forged: 0 }
  let serial = 0
  const checks: { at: number; kid: Kid; live: boolean }[] = []

  const keysAt = (at: number) => versions.findLast(version => version.at <= at)?.keys ?? []
  const cut = ({ cuts }: { cuts: readonly Span[] }, at: number) =>
    cuts.find(({ from, until }) => from <= at && at < until)

  /** The list that an instance would serve at this time: as old as its last reading. Undefined: 503. */
  function served(instance: Instance, at: number): ReadonlySet<Kid> | undefined {
    const span = cut(instance, at)
    if (span?.asleep) return undefined
    const readAt = span ? span.from : at - (at % lookEvery)
    if (at - readAt > policy.listAge) return undefined
    return new Set(
      keysAt(readAt)
        .filter(key => isPublished(key, readAt))
        .map(({ kid }) => kid),
    )
  }

  function fetchKeys(verifier: Verifier, at: number): void {
    verifier.triedAt = at
    const list = cut(verifier, at) ? undefined : served(chance.of(instances), at)
    if (!list) return
    verifier.known = build.keep(verifier.known, list)
    verifier.fetchedAt = at
  }

  /** Undefined: its list is too old to say anything. */
  function verify(verifier: Verifier, kid: Kid, at: number): boolean | undefined {
    while (Math.max(verifier.fetchedAt + maxAge, verifier.triedAt + cooldown) <= at)
      fetchKeys(verifier, Math.max(verifier.fetchedAt + maxAge, verifier.triedAt + cooldown, 1))
    if (!verifier.known.has(kid) && verifier.triedAt + cooldown <= at) fetchKeys(verifier, at)
    if (at - verifier.fetchedAt > policy.verifierAge) return undefined
    return verifier.known.has(kid)
  }

  function change(now: number, decide: (ring: Ring) => Plan | string): void {
    const plan = decide({ now, policy, keys: keysAt(now), feedPosition: '0.0' })
    // An instance that is killed in the middle has done nothing: a plan is one transaction.
    if (typeof plan === 'string' || chance.of([1, 2, 3, 4, 5]) === 5) return
    const altered = keysAt(now).map(key => {
      const { sealed, ...times } = plan.alter.find(({ kid }) => kid === key.kid) ?? {}
      return { ...key, ...times, sealed: sealed === 'erased' ? null : key.sealed }
    })
    const published = plan.publish.map(({ signsFrom, exempt }) =>
      keyAt(`key-${++serial}`, now, { signsFrom, exempt }),
    )
    counts.rotations += plan.alter.filter(({ signsFrom }) => signsFrom).length
    versions.push({ at: now, keys: [...altered, ...published] })
  }

  function mint(now: number): void {
    const instance = chance.of(instances)
    if (cut(instance, now)) return
    const kid = build.kid(signerOf(keysAt(now), now)?.kid, instance, now)
    instance.memory = { now, policy, keys: keysAt(now), feedPosition: '0.0' }
    if (kid === undefined) return
    counts.minted++
    const exp = Math.floor(now) + chance.between(60, policy.tokenLifetime)
    for (let times = 0; times < 3; times++) checks.push({ at: chance.between(now, exp), kid, live: true })
  }

  /** Whoever has the private half of a key that no list may hold any more. */
  function forge(now: number): void {
    const gone = keysAt(now).filter(
      ({ unpublishedAt }) =>
        unpublishedAt !== null && unpublishedAt + policy.listAge + policy.verifierAge < now,
    )
    if (gone.length > 0) checks.push({ at: now, kid: chance.of(gone).kid, live: false })
  }

  // The first start, before anybody is served.
  while (keysAt(0).length === 0) change(0, maintenance)
  for (let now = 1; now < end; now += chance.between(1, 300)) {
    // Several look at once: each decides on what the one before it left.
    for (const instance of instances) if (!cut(instance, now)) change(now, build.maintenance)
    if (chance.between(0, 200) < 1) for (let at = 0; at < 3; at++) change(now, rotation)
    for (let times = 0; times < 3; times++) mint(now)
    forge(now)
    checks.sort((a, b) => a.at - b.at)
    while (checks[0] && checks[0].at <= now) {
      const { at, kid, live } = checks.shift() as (typeof checks)[0]
      const verdict = verify(chance.of(verifiers), kid, at)
      if (verdict === undefined) continue
      if (live) verdict ? counts.verified++ : counts.refused++
      else if (verdict) counts.forged++
    }
  }
  return counts
}

function spans(chance: Chance, end: number, every: number, longest: number): Span[] {
  const found: Span[] = []
  for (let from = chance.between(1000, every); from < end; from += chance.between(every / 4, every)) {
    const until = from + chance.between(10, longest)
    found.push({ from, until, asleep: chance.between(0, 2) < 1 })
    from = until
  }
  return found
}
