/** The second step of a sign-in: who has proved the first one proves a factor, and gets a session. */
import { type Authentication, andByCode, andByPasskey } from '../core/authentication.js'
import type { FactorProof, UserId } from '../core/principal.js'
import type { Secret } from '../core/secret.js'
import { type Code, type CodeRefusal, type ProveCode, usingProof } from './code-proof.js'
import type { Browser, SignedIn } from './create-session.js'
import type { Parts } from './parts.js'
import type { PasskeyProofs } from './passkey-proof.js'
import type { PasskeyRefusal } from './passkey-refusal.js'
import type { FirstStep } from './pending-sign-ins.js'
import type { RecoveryCodeNotice } from './recovery-code-notice.js'

/** `no-pending`: the first step is too long ago, was tried too often, or was ended. */
export type SecondStepRefusal = CodeRefusal | 'passkey-failed' | 'no-pending' | 'credential-changed'

/** A code, or what a browser answers with a passkey. */
export type SecondProof = Code | { readonly passkey: unknown }

/** `refusal`: of a passkey, for the log. */
export type NotSignedInYet = {
  readonly refused: SecondStepRefusal
  readonly refusal?: PasskeyRefusal
  readonly user: UserId | undefined
}

type Proved =
  | { readonly proof: FactorProof; readonly authentication: Authentication }
  | Pick<NotSignedInYet, 'refused' | 'refusal'>

export type SecondStep = ReturnType<typeof createSecondStep>

export function createSecondStep(
  proveCode: ProveCode,
  passkeyProofs: PasskeyProofs,
  notice: RecoveryCodeNotice,
  parts: Parts<'pendingSignIns' | 'sessions' | 'factors' | 'throttle' | 'refused'>,
) {
  const { pendingSignIns, sessions, factors, throttle, refused } = parts

  /** Secrets that were made up count against their address, and cost nobody else anything there. */
  async function attempt(
    pending: Secret,
    by: SecondProof,
    browser: Browser,
  ): Promise<SignedIn | NotSignedInYet> {
    const hash = pending.hash()
    const none = { refused: 'no-pending', user: undefined } as const
    if (!(await pendingSignIns.read(hash)))
      return throttle.link(browser.device.address, async () => {
        // Completed, perhaps by the same request before: then that is confirmed.
        await pendingSignIns.attempt(hash)
        return none
      })
    const first = await pendingSignIns.attempt(hash)
    return first ? complete(hash, first, by, browser) : none
  }

  async function prove(pending: Buffer, first: FirstStep, by: SecondProof): Promise<Proved> {
    if (!('passkey' in by)) {
      const proved = await proveCode(first.user, by)
      return 'refused' in proved ? proved : { ...proved, authentication: andByCode(first) }
    }
    const made = { purpose: 'second-factor', user: first.user, pending } as const
    const proved = await passkeyProofs.prove(made, by.passkey)
    if ('refused' in proved) return { refused: 'passkey-failed', refusal: proved }
    return { proof: proved.proof, authentication: andByPasskey(first, proved) }
  }

  async function complete(
    hash: Buffer,
    first: FirstStep,
    by: SecondProof,
    browser: Browser,
  ): Promise<SignedIn | NotSignedInYet> {
    const { user } = first
    const proved = await prove(hash, first, by)
    if ('refused' in proved) return { ...proved, user }
    const { proof, authentication } = proved
    const { authTime, ...what } = first
    const identity = { ...what, ...authentication, second: { proof, pending: hash } }
    const { device, credential, context } = browser
    const opened = await usingProof(factors, user, proof, () =>
      sessions.open(identity, device, credential, context),
    )
    // It was used at the same time, or what was proved first is no longer so.
    if (typeof opened === 'string') return { refused: 'credential-changed', user }
    notice(user, proof)
    return { ...opened, user }
  }

  return {
    /** What may follow, for a page. Looking takes no attempt. */
    read: async (pending: Secret) => (await pendingSignIns.read(pending.hash()))?.next,

    /** For a passkey of who is about to sign in; undefined: nothing is pending. Asking takes no attempt. */
    passkeyOptions(pending: Secret, from: string) {
      return throttle.passkeyAsked(from, async () => {
        const hash = pending.hash()
        const begun = await pendingSignIns.read(hash)
        if (!begun) return undefined
        const { user } = begun.first
        return passkeyProofs.options({ purpose: 'second-factor', user, pending: hash })
      })
    },

    async complete(pending: Secret, by: SecondProof, browser: Browser): Promise<SignedIn | NotSignedInYet> {
      const answer = await attempt(pending, by, browser)
      if ('refused' in answer && answer.refused !== 'no-pending') {
        const { refused: reason, user: actor } = answer
        await refused({ action: 'session.opened', reason, actor, context: browser.context })
      }
      return answer
    },

    cancel: (pending: Secret) => pendingSignIns.cancel(pending.hash()),
  }
}
