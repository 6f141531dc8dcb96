/** Owns `createVerifier`: the parts put together, and the order in which a token is looked at. */
import { judgeTime, readClaimsFor } from './claims.js'
import { type CompactJws, readCompact } from './compact.js'
import { judgePast } from './delayed.js'
import { Counters, type Health } from './health.js'
import { introspect } from './introspection.js'
import type { VerifierOptions } from './options.js'
import type { PastPrincipal, Principal, TokenClaims } from './principal.js'
import type { PublicKey } from './public-key.js'
import { type Lack, type PastFault, type Refused, refused, type TokenFault } from './refusal.js'
import type { Requirement } from './requirements.js'
import { openSources } from './sources.js'
import { strictObject } from './strict-json.js'

export type Verdict<Code extends Refused['code'] = TokenFault | 'keys_unavailable'> =
  | { readonly ok: true; readonly principal: Principal }
  | Refused<Code>

export type PastVerdict =
  | { readonly ok: true; readonly principal: PastPrincipal }
  | Refused<TokenFault | PastFault | 'keys_unavailable'>

export type FreshVerdict = Verdict<
  TokenFault | 'keys_unavailable' | 'inactive' | 'introspection_unavailable' | 'service_key_refused'
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
   * The answer does not know whether its session had been ended.
   */
  readonly verifyAt: (
    token: string,
    at: Date,
    options?: { readonly receivedAt?: Date },
  ) => Promise<PastVerdict>
  /** Does it count at this moment, by the issuer's own word? One request to the issuer; needs a `serviceKey`. */
  readonly introspect: (token: string) => Promise<FreshVerdict>
  /** Waits for keys that were kept, or an attempt to get some. A service may start without: see `health`. */
  readonly ready: () => Promise<Health>
  readonly health: () => Health
  /** Stops the timer of the refreshing. Verifying goes on, and fetches when it must. */
  readonly close: () => void
}

export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience, serviceKey } = options
  const sources = openSources(options)
  const { keys, historySource } = sources
  const counters = new Counters()
  const seconds = () => sources.means.clock.now() / 1000

  async function proved(jws: CompactJws, key: PublicKey): Promise<TokenClaims | Refused<TokenFault>> {
    if (!(await key.verifies(jws.signed, jws.signature))) return refused('signature')
    const payload = strictObject(jws.payload)
    return payload ? readClaimsFor(payload, issuer, audience) : refused('payload')
  }

  async function verify(token: string): Promise<Verdict> {
    const jws = readCompact(token, 'at+jwt')
    if ('code' in jws) return jws
    const key = await keys.find(jws.kid)
    if ('code' in key) return key
    const claims = await proved(jws, key)
    if ('code' in claims) return claims
    return judgeTime(claims, seconds()) ?? { ok: true, principal: { ...claims, valid: 'now' } }
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
    const verdict = await verify(token)
    if (!verdict.ok) return verdict
    const places = await sources.places()
    const fresh = await introspect(token, verdict.principal, places?.introspection, key, sources.means)
    return 'code' in fresh ? fresh : { ok: true, principal: fresh }
  }

  return {
    verify: async token => counters.count(await verify(token)),
    verifyAt: async (token, at, { receivedAt } = {}) =>
      counters.count(await verifyAt(token, at.getTime() / 1000, receivedAt && receivedAt.getTime() / 1000)),
    introspect: async token => {
      if (serviceKey === undefined) throw new TypeError('introspect needs a serviceKey and an issuer')
      return counters.count(await ask(token, serviceKey))
    },
    check: (principal, ...requirements) => {
      const now = seconds()
      for (const requirement of requirements) {
        const lack = requirement(principal, now)
        if (lack) return counters.count(lack)
      }
      return { ok: true, principal }
    },
    ready: async () => {
      await keys.ready()
      return health()
    },
    health,
    close: sources.close,
  }

  function health(): Health {
    return { ...sources.health(), ...counters.totals() }
  }
}

/** Adapters that are given this instead of the verifier ask the issuer about each token. */
export function fresh({ introspect, check }: Verifier): Gate {
  return { verify: introspect, check }
}
