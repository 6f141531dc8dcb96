/** Changing a password while signed in: the current one is proved, the other sessions end, this one gets a new secret. */
import { type RequestContext, refusalOf } from '../audit/events.js'
import type { Principal } from '../core/principal.js'
import { type Credential, newCredential } from '../sessions/credential.js'
import type { Parts } from './parts.js'
import type { PasswordSignIn } from './password-sign-in.js'

export type PasswordChangeAnswer =
  | { readonly changed: Credential }
  | { readonly refused: 'wrong_password' | 'session_superseded' | { readonly weak: string } }

export type PasswordChanger = ReturnType<typeof createPasswordChange>

export function createPasswordChange(
  passwords: PasswordSignIn,
  parts: Parts<'store' | 'hasher' | 'policy' | 'mailer' | 'inBackground' | 'refused'>,
) {
  const { store, hasher, policy, mailer, inBackground, refused } = parts

  async function wrong(principal: Principal, context: RequestContext): Promise<PasswordChangeAnswer> {
    await refused(refusalOf(principal, 'password.changed', 'wrong-password', context))
    return { refused: 'wrong_password' }
  }

  return async function change(
    principal: Principal,
    profile: { readonly email: string; readonly name: string | null },
    proven: Credential,
    currentPassword: string,
    newPassword: string,
    context: RequestContext,
  ): Promise<PasswordChangeAnswer> {
    const proof = await passwords.proveAgain(principal.user, currentPassword)
    if ('refused' in proof) return wrong(principal, context)
    const { email, name } = profile
    const verdict = await policy.check(newPassword, { email, name: name ?? undefined })
    if (!verdict.ok) return { refused: { weak: verdict.detail } }

    const next = newCredential()
    const answer = await store.changePassword({
      user: principal.user,
      session: principal.session,
      provenSecretHash: proven.secret.hash(),
      next: { id: next.id, secretHash: next.secret.hash() },
      expectedVersion: proof.identity.credential.version,
      phc: await hasher.hash(verdict.password, principal.user),
      context,
    })
    if (answer === 'superseded') return { refused: 'session_superseded' }
    if (answer === 'credential-changed') return wrong(principal, context)
    inBackground('password changed mail', () => mailer.send({ kind: 'password-changed', to: email }))
    return { changed: { id: answer.changed, secret: next.secret } }
  }
}
