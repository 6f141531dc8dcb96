/** The one way in: an Identity becomes a session, or a pending sign-in that owes a second factor, whatever the method was. */
import type { RequestContext } from '../audit/events.js'
import type { InBackground } from '../core/background.js'
import type { Mailer } from '../core/mail.js'
import type { Identity, UserId } from '../core/principal.js'
import { newSecret, type Secret } from '../core/secret.js'
import type { Credential } from '../sessions/credential.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Device } from '../sessions/store.js'
import type { FactorResets } from './factor-resets.js'
import type { NextStep, PendingSignIns } from './pending-sign-ins.js'

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

/** What was proved is not enough: the second step follows, by who has the secret. */
export interface Pending {
  readonly pending: Secret
  readonly next: readonly NextStep[]
}

/** The credential changed, or the user was disabled, while it was being verified. */
export interface NotFinished {
  readonly refused: 'credential-changed'
}

export type CreateSession = (
  identity: Identity,
  browser: Browser,
) => Promise<SignedIn | Pending | NotFinished>

const changed: NotFinished = { refused: 'credential-changed' }

export interface CreateSessionParts {
  readonly sessions: Pick<Sessions, 'open'>
  readonly pendingSignIns: Pick<PendingSignIns, 'begin' | 'cancel'>
  readonly factorResets: Pick<FactorResets, 'carryOut'>
  readonly mailer: Mailer
  readonly inBackground: InBackground
}

export function createSessionCreator(parts: CreateSessionParts): CreateSession {
  const { sessions, pendingSignIns, factorResets, mailer, inBackground } = parts

  async function open(identity: Identity, { device, credential, context }: Browser) {
    const opened = await sessions.open(identity, device, credential, context)
    return typeof opened === 'string' ? opened : { ...opened, user: identity.user }
  }

  return async (identity, browser) => {
    let opened = await open(identity, browser)
    if (opened === 'second-factor-required' && (await wasReset(identity.user, browser.context)))
      opened = await open(identity, browser)
    if (typeof opened !== 'string') return opened
    if (opened === 'credential-changed') return changed
    const secret = newSecret()
    const { second, ...first } = identity
    const next = await pendingSignIns.begin(secret.hash(), first)
    if (next === 'credential-changed') return changed
    if (next.length > 0) return { pending: secret, next }
    // The factors were removed in between, perhaps by a reset that a sign-in beside this one has carried out.
    await pendingSignIns.cancel(secret.hash())
    const again = await open(identity, browser)
    return typeof again === 'string' ? changed : again
  }

  /** What an operator has asked for is carried out when it is due, and its user comes. */
  async function wasReset(user: UserId, context: RequestContext): Promise<boolean> {
    const done = await factorResets.carryOut(user, { user: undefined, context })
    if (!done) return false
    inBackground('factors reset mail', () => mailer.send({ kind: 'factors-reset', to: done.email }))
    return true
  }
}
