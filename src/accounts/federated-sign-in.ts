/** A provider as a sign-in method: sent there and back, and what is made of the person that it says this is. */
import type { By, Occasion } from '../audit/events.js'
import type { InBackground } from '../core/background.js'
import type { Post } from '../core/mail.js'
import type { Identity, Principal, UserId } from '../core/principal.js'
import { ProviderUnavailable } from '../federation/bounded-fetch.js'
import type { Claimed } from '../federation/claimed.js'
import { type ConnectionParts, connectionTo } from '../federation/connection.js'
import { authorizationAddress, type Exchanged, exchange } from '../federation/exchange.js'
import { BrowserSecret, flowSeconds, newState, type Purpose, stateHash } from '../federation/flow.js'
import { federatedIdentity, provesNow } from '../federation/proof.js'
import { redirectAddress } from '../federation/provider.js'
import type { ConsumedFlow, FederationStore } from '../federation/store.js'
import type { Credential } from '../sessions/credential.js'
import type { Sessions } from '../sessions/sessions.js'
import { type AdmissionRefusal, admit, tellLinked } from './admission.js'
import type { IdentityStore } from './identities.js'
import { createPlaces } from './places.js'
import type { Browser, Finish, SignedIn } from './sign-in.js'
import type { AccountStore } from './store.js'
import type { Throttle } from './throttle.js'

/** Callbacks of one provider at a time. A slow one takes its own places, and nobody else's. */
const mostCallbacks = 50

export interface FederationParts extends ConnectionParts {
  readonly federation: Pick<FederationStore, 'offered' | 'provider' | 'begin' | 'consume'>
  readonly identities: IdentityStore
  readonly store: Pick<AccountStore, 'findByEmail'>
  readonly sessions: Sessions
  readonly throttle: Throttle
  readonly post: Post
  readonly inBackground: InBackground
  readonly finish: Finish
}

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

export type FederationRefusal =
  | AdmissionRefusal
  | 'no-flow'
  | 'declined'
  | 'not-believed'
  | 'unavailable'
  | 'busy'
  | 'signed-out-meanwhile'
  | 'not-linked'
  | 'not-fresh'
  | 'credential-changed'

export interface Completed {
  readonly purpose: Purpose
  readonly returnTo: string | undefined
  readonly providerName: string
  readonly outcome:
    | { readonly opened: SignedIn }
    | { readonly linked: true }
    | { readonly renewed: { readonly credential: Credential; readonly now: number; readonly endsAt: number } }
    | { readonly refused: FederationRefusal; readonly reason: string; readonly user?: UserId | undefined }
}

/** Who is signed in with the browser that comes back. */
export interface Returning {
  readonly principal: Principal
  readonly credential: Credential
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
  const { issuer, federation, identities, sessions, throttle, finish } = parts
  const takePlace = createPlaces(mostCallbacks)

  return {
    offered: () => federation.offered(),

    /** Keeps what the answer will be compared with, and says where the person goes. */
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
      const [providerId] = callback
      const leave = await takePlace(providerId)
      if (leave === 'full') return unread(providerId, 'busy', 'too many callbacks at once')
      return completed(...callback).finally(leave)
    },
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
    if (!('claimed' in exchanged)) return { ...known, outcome: { ...refusedBy(exchanged), user: flow.user } }
    const { claimed } = exchanged
    if (flow.purpose === 'sign-in') return { ...known, outcome: await signIn(consumed, claimed, browser) }
    const who = await returning()
    if (!who || who.principal.user !== flow.user)
      return { ...known, outcome: { ...signedOut, user: flow.user } }
    const outcome =
      flow.purpose === 'link'
        ? await link(consumed, claimed, who, browser, returning)
        : await stepUp(consumed, claimed, who, browser.occasion)
    return { ...known, outcome }
  }

  async function exchangeWith(
    { provider, now }: ConsumedFlow,
    answer: string,
    secret: BrowserSecret,
    state: string,
  ): Promise<Exchanged> {
    try {
      const connection = await connectionTo(parts, provider)
      return await exchange(
        provider,
        connection,
        redirectAddress(issuer, provider.id),
        answer,
        secret.binding(state),
        now,
      )
    } catch (error) {
      if (error instanceof ProviderUnavailable) return { unavailable: error.message }
      throw error
    }
  }

  async function signIn({ provider, now }: ConsumedFlow, claimed: Claimed, browser: Browser) {
    const admitted = await admit(parts, provider, claimed, browser.occasion)
    if ('refused' in admitted) return { ...admitted, reason: admitted.reason ?? admitted.refused }
    return opening(federatedIdentity(provider, claimed, admitted, now), browser)
  }

  async function opening(identity: Identity, browser: Browser) {
    const opened = await finish(identity, browser)
    if (!opened)
      return { refused: 'credential-changed' as const, reason: 'credential-changed', user: identity.user }
    return { opened }
  }

  async function link(
    { provider, now }: ConsumedFlow,
    claimed: Claimed,
    { principal: { user } }: Returning,
    browser: Browser,
    returning: () => Promise<Returning | undefined>,
  ) {
    const by: By = { actor: user, occasion: browser.occasion }
    const stillSignedIn = async () => (await returning())?.principal.user === user
    const linked = await identities.link(provider.id, claimed, user, stillSignedIn, by)
    if (linked === 'taken')
      return { refused: 'identity-taken' as const, reason: 'linked to another account', user }
    if (linked === 'turned-off') return { refused: linked, reason: linked, user }
    if (linked === 'signed-out') return { ...signedOut, user }
    tellLinked(parts, provider, linked)
    if (!linked.reclaimed) return { linked: true as const }
    // Every session has ended, this one too. Who has just shown that the address is theirs goes on in a new one.
    return opening(federatedIdentity(provider, claimed, { id: linked.id, user }, now), browser)
  }

  async function stepUp(
    { provider, beganAt, now }: ConsumedFlow,
    claimed: Claimed,
    { principal, credential }: Returning,
    occasion: Occasion,
  ) {
    const { user } = principal
    const known = await identities.find(claimed.issuer, claimed.subject)
    if (known?.user !== user)
      return { refused: 'not-linked' as const, reason: 'it is not an identity of this person', user }
    if (!provesNow(provider, claimed, beganAt))
      return { refused: 'not-fresh' as const, reason: 'the proof is not of now, or does not count', user }
    const identity: Identity = federatedIdentity(provider, claimed, known, now)
    const renewed = await sessions.renew(credential, identity, occasion)
    return renewed === 'superseded'
      ? { refused: 'credential-changed' as const, reason: 'superseded', user }
      : { renewed }
  }
}

const signedOut = { refused: 'signed-out-meanwhile', reason: 'another session, or none' } as const

/** Of a callback that was not looked at, or is of no flow, nothing is known but its address. */
function unread(providerName: string, refused: 'busy' | 'no-flow', reason: string): Completed {
  return { purpose: 'sign-in', returnTo: undefined, providerName, outcome: { refused, reason } }
}

function refusedBy(exchanged: Exclude<Exchanged, { claimed: Claimed }>) {
  if ('declined' in exchanged) return { refused: 'declined' as const, reason: exchanged.declined }
  if ('unavailable' in exchanged) return { refused: 'unavailable' as const, reason: exchanged.unavailable }
  return { refused: 'not-believed' as const, reason: exchanged.refused }
}
