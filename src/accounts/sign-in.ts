/** The use case of a password: a session for who has proved it, and what is written down of who has not. */
import type { UserId } from '../core/principal.js'
import type { Browser, Pending, SignedIn } from './create-session.js'
import type { Parts } from './parts.js'
import type { PasswordSignIn, SignInRefusal } from './password-sign-in.js'

export type NotSignedIn = {
  readonly refused: SignInRefusal | 'credential-changed'
  readonly user: UserId | undefined
}

export type SignIn = ReturnType<typeof createSignIn>

export function createSignIn(
  passwords: PasswordSignIn,
  { createSession, refused }: Parts<'createSession' | 'refused'>,
) {
  /** `passHash` is of the pass that the browser has of a reset. */
  return async (
    who: { readonly email: string; readonly password: string },
    browser: Browser,
    passHash: Buffer | undefined,
  ): Promise<SignedIn | Pending | NotSignedIn> => {
    const { device, context } = browser
    const answer = await passwords.prove(who.email, who.password, device.address, passHash)
    const finished = 'refused' in answer ? answer : await createSession(answer.identity, browser)
    if (!('refused' in finished)) return finished
    const { refused: reason } = finished
    const user = 'refused' in answer ? answer.user : answer.identity.user
    await refused({ action: 'session.opened', reason, actor: user, context })
    return { refused: reason, user }
  }
}
