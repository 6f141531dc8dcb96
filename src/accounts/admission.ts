/** Whom a provider's identity lets in: who is linked to it, whose address it may speak for, or somebody new. */
import type { RequestContext } from '../audit/events.js'
import type { Reclaimed } from '../core/mail.js'
import type { FederatedIdentityId, UserId } from '../core/principal.js'
import { type Claimed, domainOf } from '../federation/claimed.js'
import type { Provider } from '../federation/provider.js'
import type { IdentityStore, LinkedNow } from './identities.js'
import type { Parts } from './parts.js'

export type AdmissionRefusal =
  | 'disabled'
  /** An account has this address. Its person proves it first, then links. */
  | 'account-exists'
  | 'address-unverified'
  | 'sign-up-closed'
  | 'identity-taken'
  /** Its provider was turned off or deleted meanwhile. */
  | 'turned-off'

type Admitted = { readonly id: FederatedIdentityId; readonly user: UserId }
type Refused = {
  readonly refused: AdmissionRefusal
  readonly user?: UserId
  /** More than that, for the log. */
  readonly reason?: string | undefined
}

/** Of whom a provider speaks, and on which context. */
interface Said {
  readonly provider: Provider
  readonly claimed: Claimed
  readonly context: RequestContext
}

export type AdmissionParts = Parts<'identities' | 'store' | 'post' | 'inBackground'>

/**
 * Issuer and subject decide. An address never does, but where the operator has declared the provider authoritative
 * for its domain; and an address that is not verified is not even looked at.
 */
export async function admit(parts: AdmissionParts, said: Said): Promise<Admitted | Refused> {
  const { identities } = parts
  const { provider, claimed, context } = said
  const admitted = await identityOf(parts, said)
  if ('refused' in admitted || provider.grants.length === 0) return admitted
  // No person acts: the provider's word does, and the audit row of what it changes names none.
  await identities.applyGrants(provider, claimed, admitted.user, { user: undefined, context })
  return admitted
}

async function identityOf(parts: AdmissionParts, said: Said): Promise<Admitted | Refused> {
  const { provider, claimed } = said
  const linked = async () => {
    const found = await parts.identities.find(claimed.issuer, claimed.subject)
    if (!found) return undefined
    if (!found.active) return { refused: 'disabled' as const, user: found.user }
    // What it said before was hearsay; by now it may be authoritative for the domain.
    const verifies = found.unverifiedEmail === claimed.email?.canonical && answersFor(provider, claimed)
    return verifies ? adopt(parts, said, found.user) : found
  }
  const first = (await linked()) ?? (await unknown(parts, said))
  const late =
    'refused' in first && (first.refused === 'account-exists' || first.refused === 'identity-taken')
  // Another tab of the same person may have been faster: then it is linked by now.
  return (late ? await linked() : undefined) ?? first
}

async function unknown(parts: AdmissionParts, said: Said): Promise<Admitted | Refused> {
  const { identities, store } = parts
  const { provider, claimed, context } = said
  if (!claimed.email) return { refused: 'address-unverified', reason: claimed.unverified }
  const account = await store.findByEmail(claimed.email.canonical)
  if (account) {
    if (!account.active) return { refused: 'disabled', user: account.user }
    if (!answersFor(provider, claimed))
      return { refused: 'account-exists', reason: notAuthoritative, user: account.user }
    return adopt(parts, said, account.user)
  }
  if (!(await maySignUp(identities, provider, claimed)))
    return { refused: 'sign-up-closed', reason: closedTo[provider.signUp] }
  const registered = await identities.register(provider.id, claimed, context)
  if (registered === 'turned-off') return { refused: registered }
  return registered === 'taken' ? { refused: 'account-exists' } : registered
}

async function adopt(parts: AdmissionParts, said: Said, user: UserId): Promise<Admitted | Refused> {
  const { provider, claimed, context } = said
  const adopted = await parts.identities.adopt(provider.id, claimed, user, { user: undefined, context })
  if (adopted === 'turned-off') return { refused: adopted, user }
  if (adopted === 'not-authoritative') return { refused: 'account-exists', reason: notAuthoritative, user }
  if (adopted === 'taken') return { refused: 'identity-taken', user }
  tellLinked(parts, provider, adopted)
  return { id: adopted.id, user }
}

/** By mail, where something was linked that was not before, or what was there before is gone. */
export function tellLinked(
  parts: Parts<'post' | 'inBackground'>,
  { name: provider }: Provider,
  { notify: to, reclaimed }: Pick<LinkedNow, 'notify' | 'reclaimed'>,
): void {
  const { post, inBackground } = parts
  if (to !== undefined)
    inBackground('identity linked mail', () => post.send({ kind: 'identity-linked', to, provider }))
  tellReclaimed(parts, reclaimed)
}

/** By mail, what was removed. Where there was nothing that signed anybody in, there is nothing to say. */
export function tellReclaimed(
  { post, inBackground }: Parts<'post' | 'inBackground'>,
  reclaimed: Reclaimed | undefined,
): void {
  if (!reclaimed || (!reclaimed.password && reclaimed.providers.length === 0)) return
  inBackground('account reclaimed mail', () => post.send({ kind: 'account-reclaimed', ...reclaimed }))
}

/** For the log: which claim of a verified person was not enough, and for what. Never its value. */
const notAuthoritative = 'email is of a domain that the provider is not authoritative for'
const closedTo: Readonly<Record<Provider['signUp'], string>> = {
  open: 'email is of an account that is there',
  off: 'sub is linked to no account, and this provider makes none',
  domains: 'email is of a domain that may not sign up',
  invitation: 'email is an address that nobody has invited',
}

async function maySignUp(identities: IdentityStore, provider: Provider, claimed: Claimed) {
  const { signUp, signUpDomains } = provider
  if (signUp === 'open') return true
  if (signUp === 'domains') return signUpDomains.includes(domainOf(claimed))
  if (signUp === 'invitation' && claimed.email) return identities.isInvited(claimed.email.canonical)
  return false
}

/** As it was read with the flow; whatever is made of it is judged again by the transaction that makes it. */
const answersFor = ({ authoritativeFor }: Provider, claimed: Claimed): boolean =>
  authoritativeFor.includes(domainOf(claimed))
