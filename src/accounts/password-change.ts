/** Changing a password while signed in: the current one is proved, the other sessions end, this one gets a new secret. */
import type { Occasion } from '../audit/events.js'
import type { InBackground, Post } from '../core/mail.js'
import type { Principal } from '../core/principal.js'
import { type Credential, newCredential } from '../sessions/credential.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import type { PasswordSignIn } from './password-sign-in.js'
import type { AccountStore } from './store.js'

export interface PasswordChangeParts {
  readonly store: AccountStore
  readonly hasher: PasswordHasher
  readonly policy: PasswordPolicy
  readonly signIn: PasswordSignIn
  readonly post: Post
  readonly inBackground: InBackground
}

export type PasswordChangeAnswer =
  | { readonly changed: Credential }
  | { readonly refused: 'wrong_password' | 'session_superseded' | { readonly weak: string } }

export type PasswordChanger = ReturnType<typeof createPasswordChange>

export function createPasswordChange({
  store,
  hasher,
  policy,
  signIn,
  post,
  inBackground,
}: PasswordChangeParts) {
  return async function change(
    principal: Principal,
    profile: { readonly email: string; readonly name: string | null },
    proven: Credential,
    currentPassword: string,
    newPassword: string,
    occasion: Occasion,
  ): Promise<PasswordChangeAnswer> {
    const proof = await signIn.proveAgain(principal.user, currentPassword)
    if ('refused' in proof) return { refused: 'wrong_password' }
    const { email, name } = profile
    const verdict = await policy.check(newPassword, { email, ...(name !== null && { name }) })
    if (!verdict.ok) return { refused: { weak: verdict.detail } }

    const next = newCredential()
    const answer = await store.changePassword({
      user: principal.user,
      session: principal.session,
      provenSecretHash: proven.secret.hash(),
      next: { id: next.id, secretHash: next.secret.hash() },
      expectedVersion: proof.identity.credential.version,
      phc: await hasher.hash(verdict.password, principal.user),
      occasion,
    })
    if (answer === 'superseded') return { refused: 'session_superseded' }
    if (answer === 'credential-changed') return { refused: 'wrong_password' }
    inBackground('password changed mail', () => post.send({ kind: 'password-changed', to: email }))
    return { changed: { id: answer.changed, secret: next.secret } }
  }
}
