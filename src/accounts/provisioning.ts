/** Whom a provider's identity lets in: who is linked to it, whose address it may speak for, or somebody new. */
import type { RequestContext } from '../audit/events.js'
import type { Reclaimed } from '../core/mail.js'
import type { FederatedIdentityId, UserId } from '../core/principal.js'
import { domainOf, type ProviderProfile } from '../federation/profile.js'
import type { Provider } from '../federation/provider.js'
import type { IdentityStore, LinkedNow } from './identities.js'
import type { Parts } from './parts.js'

export type ProvisioningError =
  | 'disabled'
  /** An account has this address. Its person proves it first, then links. */
  | 'account-exists'
  | 'address-unverified'
  | 'sign-up-closed'
  | 'identity-taken'
  /** Its provider was turned off or deleted meanwhile. */
  | 'turned-off'

type Provisioned = { readonly id: FederatedIdentityId; readonly user: UserId }
type Refused = {
  readonly refused: ProvisioningError
  readonly user?: UserId
  /** More than that, for the log. */
  readonly reason?: string | undefined
}

/** Of whom a provider speaks, and in which request. */
interface Said {
  readonly provider: Provider
  readonly profile: ProviderProfile
  readonly context: RequestContext
}

export type ProvisioningParts = Parts<'identities' | 'store' | 'mailer' | 'inBackground'>

/**
 * Issuer and subject decide. An address never does, but where the operator has declared the provider authoritative
 * for its domain; and an address that is not verified is not even looked at.
 */
export async function provision(parts: ProvisioningParts, said: Said): Promise<Provisioned | Refused> {
  const { identities } = parts
  const { provider, profile, context } = said
  const provisioned = await identityOf(parts, said)
  if ('refused' in provisioned || provider.grants.length === 0) return provisioned
  // No user acts: the provider's word does, and the audit row of what it changes names none.
  await identities.applyGrants(provider, profile, provisioned.user, { user: undefined, context })
  return provisioned
}

async function identityOf(parts: ProvisioningParts, said: Said): Promise<Provisioned | Refused> {
  const { provider, profile } = said
  const linked = async () => {
    const found = await parts.identities.find(profile.issuer, profile.subject)
    if (!found) return undefined
    if (!found.active) return { refused: 'disabled' as const, user: found.user }
    // What it said before was hearsay; by now it may be authoritative for the domain.
    const verifies = found.unverifiedEmail === profile.email?.canonical && answersFor(provider, profile)
    return verifies ? autoLink(parts, said, found.user) : found
  }
  const first = (await linked()) ?? (await unknown(parts, said))
  const late =
    'refused' in first && (first.refused === 'account-exists' || first.refused === 'identity-taken')
  // Another tab of the same user may have been faster: then it is linked by now.
  return (late ? await linked() : undefined) ?? first
}

async function unknown(parts: ProvisioningParts, said: Said): Promise<Provisioned | Refused> {
  const { identities, store } = parts
  const { provider, profile, context } = said
  if (!profile.email) return { refused: 'address-unverified', reason: profile.unverified }
  const account = await store.findByEmail(profile.email.canonical)
  if (account) {
    if (!account.active) return { refused: 'disabled', user: account.user }
    if (!answersFor(provider, profile))
      return { refused: 'account-exists', reason: notAuthoritative, user: account.user }
    return autoLink(parts, said, account.user)
  }
  if (!(await maySignUp(identities, provider, profile)))
    return { refused: 'sign-up-closed', reason: closedTo[provider.signUp] }
  const registered = await identities.register(provider.id, profile, context)
  if (registered === 'turned-off') return { refused: registered }
  return registered === 'taken' ? { refused: 'account-exists' } : registered
}

async function autoLink(parts: ProvisioningParts, said: Said, user: UserId): Promise<Provisioned | Refused> {
  const { provider, profile, context } = said
  const linkedNow = await parts.identities.autoLink(provider.id, profile, user, { user: undefined, context })
  if (linkedNow === 'turned-off') return { refused: linkedNow, user }
  if (linkedNow === 'not-authoritative') return { refused: 'account-exists', reason: notAuthoritative, user }
  if (linkedNow === 'taken') return { refused: 'identity-taken', user }
  tellLinked(parts, provider, linkedNow)
  return { id: linkedNow.id, user }
}

/** By mail, where something was linked that was not before, or what was there before is gone. */
export function tellLinked(
  parts: Parts<'mailer' | 'inBackground'>,
  { name: provider }: Provider,
  { notify: to, reclaimed }: Pick<LinkedNow, 'notify' | 'reclaimed'>,
): void {
  const { mailer, inBackground } = parts
  if (to !== undefined)
    inBackground('identity linked mail', () => mailer.send({ kind: 'identity-linked', to, provider }))
  tellReclaimed(parts, reclaimed)
}

/** By mail, what was removed. Where there was nothing that signed anybody in, there is nothing to say. */
export function tellReclaimed(
  { mailer, inBackground }: Parts<'mailer' | 'inBackground'>,
  reclaimed: Reclaimed | undefined,
): void {
  if (!reclaimed || (!reclaimed.password && reclaimed.providers.length === 0)) return
  inBackground('account reclaimed mail', () => mailer.send({ kind: 'account-reclaimed', ...reclaimed }))
}

/** For the log: which claim of a verified user was not enough, and for what. Never its value. */
const notAuthoritative = 'email is of a domain that the provider is not authoritative for'
const closedTo: Readonly<Record<Provider['signUp'], string>> = {
  open: 'email is of an account that is there',
  off: 'sub is linked to no account, and this provider makes none',
  domains: 'email is of a domain that may not sign up',
  invitation: 'email is an address that nobody has invited',
}

async function maySignUp(identities: IdentityStore, provider: Provider, profile: ProviderProfile) {
  const { signUp, signUpDomains } = provider
  if (signUp === 'open') return true
  if (signUp === 'domains') return signUpDomains.includes(domainOf(profile))
  if (signUp === 'invitation' && profile.email) return identities.isInvited(profile.email.canonical)
  return false
}

/** As it was read with the flow; whatever is made of it is judged again by the transaction that makes it. */
const answersFor = ({ authoritativeFor }: Provider, profile: ProviderProfile): boolean =>
  authoritativeFor.includes(domainOf(profile))
