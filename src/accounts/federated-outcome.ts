/** What is made of the user that a provider says this is: signed in, linked, or proved again. */
import type { Actor, RequestContext } from '../audit/events.js'
import type { Identity, Principal, UserId } from '../core/principal.js'
import type { ProviderProfile } from '../federation/profile.js'
import { federatedIdentity, staleness } from '../federation/proof.js'
import type { ConsumedFlow } from '../federation/store.js'
import type { Credential } from '../sessions/credential.js'
import type { Browser, Pending, SignedIn } from './create-session.js'
import type { Parts } from './parts.js'
import { type ProvisioningError, type ProvisioningParts, provision, tellLinked } from './provisioning.js'

export type FederationRefusal =
  | ProvisioningError
  | 'no-flow'
  | 'declined'
  | 'not-believed'
  | 'unavailable'
  | 'busy'
  | 'signed-out-meanwhile'
  | 'not-linked'
  | 'not-fresh'
  | 'credential-changed'
  | 'second-factor-required'

export type Outcome =
  | { readonly opened: SignedIn }
  | { readonly pending: Pending }
  | { readonly linked: true }
  | { readonly renewed: { readonly credential: Credential; readonly now: number; readonly endsAt: number } }
  | { readonly refused: FederationRefusal; readonly reason: string; readonly user?: UserId | undefined }

/** Who is signed in with the browser that comes back. */
export interface Returning {
  readonly principal: Principal
  readonly credential: Credential
}

export type OutcomeParts = ProvisioningParts & Parts<'sessions' | 'createSession'>

export function createOutcomes(parts: OutcomeParts) {
  const { identities, sessions, createSession } = parts

  return async (
    consumed: ConsumedFlow,
    profile: ProviderProfile,
    browser: Browser,
    returning: () => Promise<Returning | undefined>,
  ): Promise<Outcome> => {
    const { purpose, user } = consumed.flow
    if (purpose === 'sign-in') return signIn(consumed, profile, browser)
    const who = await returning()
    if (!who || who.principal.user !== user) return signedOut(user)
    return purpose === 'link'
      ? link(consumed, profile, who, browser, returning)
      : stepUp(consumed, profile, who, browser.context)
  }

  async function signIn({ provider, now }: ConsumedFlow, profile: ProviderProfile, browser: Browser) {
    const provisioned = await provision(parts, { provider, profile, context: browser.context })
    if ('refused' in provisioned) return { ...provisioned, reason: provisioned.reason ?? provisioned.refused }
    return opening(federatedIdentity(provider, profile, provisioned, now), browser)
  }

  async function opening(identity: Identity, browser: Browser) {
    const opened = await createSession(identity, browser)
    if ('pending' in opened) return { pending: opened }
    if (!('refused' in opened)) return { opened }
    return refusal(opened.refused, opened.refused, identity.user)
  }

  async function link(
    { provider, now }: ConsumedFlow,
    profile: ProviderProfile,
    { principal }: Returning,
    browser: Browser,
    returning: () => Promise<Returning | undefined>,
  ) {
    const { user } = principal
    const actor: Actor = { user: user, context: browser.context }
    const stillSignedIn = async () => (await returning())?.principal.user === user
    const linked = await identities.link(provider.id, profile, principal, stillSignedIn, actor)
    if (linked === 'taken') return refusal('identity-taken', 'linked to another account', user)
    if (linked === 'weak') return refusal('second-factor-required', 'the session is of aal1', user)
    if (linked === 'turned-off') return refusal(linked, linked, user)
    if (linked === 'signed-out') return signedOut(user)
    tellLinked(parts, provider, linked)
    if (!linked.reclaimed) return { linked: true as const }
    // Every session has ended, this one too. Who has just shown that the address is theirs goes on in a new one.
    return opening(federatedIdentity(provider, profile, { id: linked.id, user }, now), browser)
  }

  async function stepUp(
    { provider, beganAt, now }: ConsumedFlow,
    profile: ProviderProfile,
    { principal, credential }: Returning,
    context: RequestContext,
  ) {
    const { user } = principal
    const known = await identities.find(profile.issuer, profile.subject)
    if (known?.user !== user) return refusal('not-linked', 'it is not an identity of this person', user)
    const stale = staleness(provider, profile, beganAt)
    if (stale !== undefined) return refusal('not-fresh', stale, user)
    const identity = federatedIdentity(provider, profile, known, now)
    const renewed = await sessions.renew(credential, identity, context)
    if (renewed === 'superseded') return refusal('credential-changed', renewed, user)
    return typeof renewed === 'string' ? refusal(renewed, renewed, user) : { renewed }
  }
}

const refusal = (refused: FederationRefusal, reason: string, user: UserId | undefined) =>
  ({ refused, reason, user }) as const

const signedOut = (user: UserId | undefined) =>
  refusal('signed-out-meanwhile', 'another session, or none', user)
