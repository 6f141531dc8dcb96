/** Owns `createVerifier`: the parts put together, and the order in which a token is looked at. */
import { judgeTime, readClaimsFor } from './claims.js'
import { type CompactJws, readCompact } from './compact.js'
import { judgePast } from './delayed.js'
import { Counters, type Health, type RevocationHealth } from './health.js'
import { introspect } from './introspection.js'
import type { VerifierOptions } from './options.js'
import type { PastPrincipal, Principal, TokenClaims } from './principal.js'
import type { PublicKey } from './public-key.js'
import {
  type Lack,
  type PastFault,
  type Refused,
  type RevocationFault,
  refused,
  type TokenFault,
} from './refusal.js'
import type { Requirement } from './requirements.js'
import { groundsOf } from './revocation.js'
import { openSources } from './sources.js'
import { strictObject } from './strict-json.js'
import type { Grounds } from './watches.js'

export type Verdict<Code extends Refused['code'] = TokenFault | RevocationFault | 'keys_unavailable'> =
  | { readonly ok: true; readonly principal: Principal }
  | Refused<Code>

export type PastVerdict =
  | { readonly ok: true; readonly principal: PastPrincipal }
  | Refused<TokenFault | PastFault | 'keys_unavailable'>

export type FreshVerdict = Verdict<
  | TokenFault
  | 'stale_token'
  | 'keys_unavailable'
  | 'inactive'
  | 'introspection_unavailable'
  | 'service_key_refused'
>

/** What an adapter needs. `fresh(verifier)` is one too. */
export interface Gate {
  readonly verify: (token: string) => Promise<Verdict<Refused['code']>>
  readonly check: (principal: Principal, ...requirements: readonly Requirement[]) => Verdict<Lack>
}

/** No verb throws over a token, an answer or an outage. */
export interface Verifier extends Gate {
  /** Is this token valid now? */
  readonly verify: (token: string) => Promise<Verdict>
  /**
   * Was it valid at that moment? `receivedAt`: when your own log, which no stranger writes, says that you had it.
   * The answer does not know whether its session had been ended: the feed of revocations is not asked.
   */
  readonly verifyAt: (
    token: string,
    at: Date,
    options?: { readonly receivedAt?: Date },
  ) => Promise<PastVerdict>
  /** Does it count at this moment, by the issuer's own word? One request to the issuer; needs a `serviceKey`. */
  readonly introspect: (token: string) => Promise<FreshVerdict>
  /**
   * Is aborted as soon as the feed of revocations ends this principal, or where it is required grows too old; the reason
   * is what `verify` would answer. For connections that stay open. `until` ends the watching.
   */
  readonly signal: (principal: Principal, until?: AbortSignal) => AbortSignal
  /**
   * Waits for keys that were kept, or an attempt to get some; then for eight seconds at most until the feed of
   * revocations is complete. A service may start without: see `health`.
   */
  readonly ready: () => Promise<Health>
  readonly health: () => Health
  /** Stops the refreshing, and the following of the feed. Verifying goes on, and fetches keys when it must. */
  readonly close: () => void
}

export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience, serviceKey } = options
  const sources = openSources(options)
  const { keys, historySource, revocation } = sources
  const counters = new Counters()
  const seconds = () => sources.means.clock.now() / 1000

  async function proved(jws: CompactJws, key: PublicKey): Promise<TokenClaims | Refused<TokenFault>> {
    if (!(await key.verifies(jws.signed, jws.signature))) return refused('signature')
    const payload = strictObject(jws.payload)
    return payload ? readClaimsFor(payload, issuer, audience) : refused('payload')
  }

  /** `by`: how the feed judges it. */
  async function verify<Code extends RevocationFault>(
    token: string,
    by: (grounds: Grounds) => Refused<Code> | undefined,
  ): Promise<Verdict<TokenFault | 'keys_unavailable' | 'stale_token' | Code>> {
    const jws = readCompact(token, 'at+jwt')
    if ('code' in jws) return jws
    await revocation?.begin()
    if (revocation?.isDeadKey(jws.kid)) return refused('stale_token')
    const key = await keys.find(jws.kid)
    if ('code' in key) return key
    const claims = await proved(jws, key)
    if ('code' in claims) return claims
    const grounds = revocation && groundsOf(claims, jws.kid)
    const no = judgeTime(claims, seconds()) ?? (grounds && by(grounds))
    if (no) return no
    const principal = { ...claims, valid: 'now' } as const
    revocation?.issued(principal, grounds)
    return { ok: true, principal }
  }

  async function verifyAt(token: string, at: number, receivedAt: number | undefined): Promise<PastVerdict> {
    const jws = readCompact(token, 'at+jwt')
    if ('code' in jws) return jws
    const history = await historySource?.current()
    if (!history) return refused('keys_unavailable')
    const past = history.keys.get(jws.kid)
    const found = past?.key ?? (await keys.find(jws.kid))
    const key = 'code' in found ? keys.known()?.keys.get(jws.kid) : found
    if (!key) return found as Refused<'unknown_key' | 'keys_unavailable'>
    const claims = await proved(jws, key)
    if ('code' in claims) return claims
    const knownAt = Math.max((keys.known()?.madeAt ?? 0) / 1000, history.issuedAt)
    const no = judgePast(claims, past ?? { knownAt }, { at, receivedAt, now: seconds() })
    return no ?? { ok: true, principal: { ...claims, valid: 'then', at, historyIssuedAt: history.issuedAt } }
  }

  async function ask(token: string, key: string): Promise<FreshVerdict> {
    // An old feed is no reason against a token about which the issuer itself is asked.
    const verdict = await verify(token, grounds => revocation?.judgeDead(grounds))
    if (!verdict.ok) return verdict
    const places = await sources.places()
    const fresh = await introspect(token, verdict.principal, places?.introspection, key, sources.means)
    if ('code' in fresh) return fresh
    revocation?.issued(fresh, revocation.groundsOf(verdict.principal))
    return { ok: true, principal: fresh }
  }

  return {
    verify: async token => counters.count(await verify(token, grounds => revocation?.judge(grounds))),
    verifyAt: async (token, at, { receivedAt } = {}) =>
      counters.count(await verifyAt(token, at.getTime() / 1000, receivedAt && receivedAt.getTime() / 1000)),
    introspect: async token => {
      if (serviceKey === undefined) throw new TypeError('introspect needs a serviceKey and an issuer')
      return counters.count(await ask(token, serviceKey))
    },
    check: (principal, ...requirements) => {
      const now = seconds()
      const feedAge = revocation?.age(revocation.groundsOf(principal))
      for (const requirement of requirements) {
        const lack = requirement(principal, now, feedAge)
        if (lack?.code === 'revocation_unknown') revocation?.wantYounger()
        if (lack) return counters.count(lack)
      }
      return { ok: true, principal }
    },
    signal: (principal, until) => {
      if (!revocation) throw new TypeError('signal needs the feed of revocations, which is off')
      return revocation.signal(principal, until)
    },
    ready: async () => {
      await keys.ready()
      await revocation?.ready()
      return health()
    },
    health,
    close: sources.close,
  }

  function health(): Health {
    return { ...sources.health(), revocation: revocation?.health() ?? off, ...counters.totals() }
  }
}

const off: RevocationHealth = {
  mode: 'off',
  state: 'off',
  ageSeconds: undefined,
  entries: 0,
  generation: undefined,
  head: 0,
}

/** Adapters that are given this instead of the verifier ask the issuer about each token. */
export function fresh({ introspect, check }: Verifier): Gate {
  return { verify: introspect, check }
}
