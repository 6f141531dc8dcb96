/** Signing in: an Identity becomes a session, whatever the method was; and the use case of a password. */
import type { Occasion, RecordRefusal } from '../audit/events.js'
import type { Identity, UserId } from '../core/principal.js'
import type { Credential } from '../sessions/credential.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Device } from '../sessions/store.js'
import type { PasswordSignIn, SignInRefusal } from './password-sign-in.js'

/** The browser that signs in: where it is, and the session cookie it came with, which ends. */
export interface Browser {
  readonly device: Device
  readonly credential: Credential | undefined
  readonly occasion: Occasion
}

export interface SignedIn {
  readonly credential: Credential
  readonly user: UserId
  /** The database's clock, seconds. */
  readonly now: number
  readonly endsAt: number
}

/** `undefined`: the credential changed, or the person was disabled, while it was being verified. */
export type Finish = (identity: Identity, browser: Browser) => Promise<SignedIn | undefined>

/** The one way in. */
export function createFinish(sessions: Pick<Sessions, 'open'>): Finish {
  return async (identity, browser) => {
    const opened = await sessions.open(identity, browser.device, browser.credential, browser.occasion)
    return opened === 'credential-changed' ? undefined : { ...opened, user: identity.user }
  }
}

interface SignInParts {
  readonly passwords: PasswordSignIn
  readonly finish: Finish
  readonly refused: RecordRefusal
}

export type NotSignedIn = {
  readonly refused: SignInRefusal | 'credential-changed'
  readonly user: UserId | undefined
}

export type SignIn = ReturnType<typeof createSignIn>

export function createSignIn({ passwords, finish, refused }: SignInParts) {
  /** `passHash` is of the pass that the browser has of a reset. */
  return async (
    who: { readonly email: string; readonly password: string },
    browser: Browser,
    passHash: Buffer | undefined,
  ): Promise<SignedIn | NotSignedIn> => {
    const { device, occasion } = browser
    const answer = await passwords.prove(who.email, who.password, device.address, passHash)
    if (!('refused' in answer)) {
      const signedIn = await finish(answer.identity, browser)
      if (signedIn) return signedIn
    }
    const reason = 'refused' in answer ? answer.refused : 'credential-changed'
    const user = 'refused' in answer ? answer.user : answer.identity.user
    await refused({ action: 'session.opened', reason, actor: user, occasion })
    return { refused: reason, user }
  }
}
