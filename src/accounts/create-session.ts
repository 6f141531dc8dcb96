/** The one way in: an Identity becomes a session, whatever the method was. */
import type { RequestContext } from '../audit/events.js'
import type { Identity, UserId } from '../core/principal.js'
import type { Credential } from '../sessions/credential.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Device } from '../sessions/store.js'

/** The browser that signs in: where it is, and the session cookie it came with, which ends. */
export interface Browser {
  readonly device: Device
  readonly credential: Credential | undefined
  readonly context: RequestContext
}

export interface SignedIn {
  readonly credential: Credential
  readonly user: UserId
  /** The database's clock, seconds. */
  readonly now: number
  readonly endsAt: number
}

/** The credential changed, or the user was disabled, while it was being verified. */
export interface NotFinished {
  readonly refused: 'credential-changed'
}

export type CreateSession = (identity: Identity, browser: Browser) => Promise<SignedIn | NotFinished>

export function createSessionCreator(sessions: Pick<Sessions, 'open'>): CreateSession {
  return async (identity, browser) => {
    const opened = await sessions.open(identity, browser.device, browser.credential, browser.context)
    return opened === 'credential-changed' ? { refused: opened } : { ...opened, user: identity.user }
  }
}
