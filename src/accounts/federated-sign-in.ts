/** A provider as a sign-in method: sent there and back, with what is written down of a refusal. */
import type { AuditAction, RequestContext } from '../audit/events.js'
import type { UserId } from '../core/principal.js'
import { ProviderUnavailable } from '../federation/bounded-fetch.js'
import { connectionTo } from '../federation/connection.js'
import { authorizationAddress, type Exchanged, exchange } from '../federation/exchange.js'
import { BrowserSecret, flowSeconds, newState, type Purpose, stateHash } from '../federation/flow.js'
import type { ProviderProfile } from '../federation/profile.js'
import { redirectAddress } from '../federation/provider.js'
import type { ConsumedFlow } from '../federation/store.js'
import type { Browser } from './create-session.js'
import { createOutcomes, type Outcome, type OutcomeParts, type Returning } from './federated-outcome.js'
import type { Parts } from './parts.js'
import { createSemaphores } from './semaphores.js'

/** Callbacks of one provider at a time. A slow one takes its own places, and nobody else's. */
const mostCallbacks = 50

type FederationParts = OutcomeParts &
  Parts<'issuer' | 'keks' | 'connections' | 'federation' | 'throttle' | 'refused'>

export interface Wanted {
  readonly provider: string
  readonly purpose: Purpose
  readonly user: UserId | undefined
  /** An address that was checked. */
  readonly returnTo: string | undefined
  /** What the browser holds of an earlier flow. */
  readonly secret: BrowserSecret | undefined
}

export type Begun =
  | { readonly address: string; readonly secret: BrowserSecret; readonly providerName: string }
  | { readonly refused: 'unknown-provider' }
  | { readonly unavailable: string; readonly providerName: string }

export interface Completed {
  readonly purpose: Purpose
  readonly returnTo: string | undefined
  readonly providerName: string
  readonly outcome: Outcome
}

/** `answer` is the query of the callback as it came, `state` what it has as that. */
type Callback = [
  providerId: string,
  { readonly answer: string; readonly state: unknown },
  secret: BrowserSecret | undefined,
  browser: Browser,
  returning: () => Promise<Returning | undefined>,
]

export type Federation = ReturnType<typeof createFederation>

export function createFederation(parts: FederationParts) {
  const { issuer, federation, throttle, refused } = parts
  const acquire = createSemaphores(mostCallbacks)
  const outcomeOf = createOutcomes(parts)

  return {
    offered: () => federation.offered(),

    /** Keeps what the answer will be compared with, and says where the user goes. */
    begin: (wanted: Wanted, from: string): Promise<Begun> =>
      throttle.federation(from, async unavailable => {
        const found = await federation.provider(wanted.provider)
        if (!found) return { refused: 'unknown-provider' }
        const { provider } = found
        const secret = wanted.secret ?? BrowserSecret.make()
        const state = newState()
        try {
          const connection = await connectionTo(parts, provider)
          const back = redirectAddress(issuer, provider.id)
          const bound = secret.binding(state)
          const address = await authorizationAddress(provider, connection, back, bound, wanted.purpose)
          const begun = await federation.begin({
            provider: provider.id,
            purpose: wanted.purpose,
            user: wanted.user,
            returnTo: wanted.returnTo,
            stateHash: stateHash(state) as Buffer,
            browserHash: secret.hash(),
            lifetimeSeconds: flowSeconds,
          })
          if (begun === 'unknown-provider') return { refused: begun }
          return { address, secret, providerName: provider.name }
        } catch (error) {
          if (!(error instanceof ProviderUnavailable)) throw error
          await unavailable()
          return { unavailable: error.message, providerName: provider.name }
        }
      }),

    /**
     * The flow is consumed before the provider is asked anything: of any number of parallel callbacks one asks. Who
     * finds no place has used nothing up, and may come back with the same answer.
     */
    async complete(...callback: Callback): Promise<Completed> {
      const [providerId, , , browser] = callback
      const leave = await acquire(providerId)
      if (leave === 'full') return unread(providerId, 'busy', 'too many callbacks at once')
      const done = await completed(...callback).finally(leave)
      await record(done, browser.context)
      return done
    },
  }

  /** That nobody has begun anything here is not worth a row that anybody can cause. */
  async function record({ purpose, outcome }: Completed, context: RequestContext): Promise<void> {
    if (!('refused' in outcome) || ['no-flow', 'unavailable', 'busy'].includes(outcome.refused)) return
    await refused({ action: actions[purpose], reason: outcome.refused, actor: outcome.user, context })
  }

  async function completed(
    ...[providerId, { answer, state }, secret, browser, returning]: Callback
  ): Promise<Completed> {
    const hash = stateHash(state)
    const consumed = hash && secret && (await federation.consume(providerId, hash, secret.hash()))
    if (!consumed || !secret)
      return unread(providerId, 'no-flow', 'this browser has begun no such flow, or it is over')
    const { flow, provider } = consumed
    const known = { purpose: flow.purpose, returnTo: flow.returnTo, providerName: provider.name }
    const exchanged = await exchangeWith(consumed, answer, secret, state as string)
    if (!('profile' in exchanged)) return { ...known, outcome: { ...refusedBy(exchanged), user: flow.user } }
    const { profile } = exchanged
    return { ...known, outcome: await outcomeOf(consumed, profile, browser, returning) }
  }

  async function exchangeWith(
    { provider, now }: ConsumedFlow,
    answer: string,
    secret: BrowserSecret,
    state: string,
  ): Promise<Exchanged> {
    try {
      const connection = await connectionTo(parts, provider)
      const back = redirectAddress(issuer, provider.id)
      return await exchange(provider, connection, back, answer, secret.binding(state), now)
    } catch (error) {
      if (error instanceof ProviderUnavailable) return { unavailable: error.message }
      throw error
    }
  }
}

const actions: Readonly<Record<Purpose, AuditAction>> = {
  'sign-in': 'session.opened',
  link: 'identity.linked',
  'step-up': 'session.stepped-up',
}

/** Of a callback that was not looked at, or is of no flow, nothing is known but its address. */
function unread(providerName: string, refused: 'busy' | 'no-flow', reason: string): Completed {
  return { purpose: 'sign-in', returnTo: undefined, providerName, outcome: { refused, reason } }
}

function refusedBy(exchanged: Exclude<Exchanged, { profile: ProviderProfile }>) {
  if ('declined' in exchanged) return { refused: 'declined' as const, reason: exchanged.declined }
  if ('unavailable' in exchanged) return { refused: 'unavailable' as const, reason: exchanged.unavailable }
  return { refused: 'not-believed' as const, reason: exchanged.refused }
}
