/** The use case of a passkey alone: whose it is follows from it, and it stands for both factors. */
import { byPasskey } from '../core/authentication.js'
import type { UserId } from '../core/principal.js'
import type { Secret } from '../core/secret.js'
import type { Browser, Pending, SignedIn } from './create-session.js'
import type { Parts } from './parts.js'
import type { PasskeyProofs } from './passkey-proof.js'
import type { PasskeyRefusal } from './passkey-refusal.js'

/** `refusal`: for the log. */
export interface NotByPasskey {
  readonly refused: 'passkey-failed' | 'credential-changed'
  readonly refusal?: PasskeyRefusal
  readonly user?: UserId
}

export type PasskeySignIn = ReturnType<typeof createPasskeySignIn>

export function createPasskeySignIn(
  proofs: PasskeyProofs,
  { createSession, throttle, refused }: Parts<'createSession' | 'throttle' | 'refused'>,
) {
  async function attempt(
    holder: Secret | undefined,
    response: unknown,
    browser: Browser,
  ): Promise<SignedIn | Pending | NotByPasskey> {
    if (!holder) return { refused: 'passkey-failed' }
    const proved = await proofs.prove({ purpose: 'sign-in', browser: holder.hash() }, response)
    if ('refused' in proved) return { refused: 'passkey-failed', refusal: proved }
    const { user, proof, key } = proved
    const credential = { kind: 'passkey', id: proof.factor } as const
    const created = await createSession({ user, ...byPasskey(key), credential, second: { proof } }, browser)
    return 'refused' in created ? { ...created, user } : created
  }

  return {
    options: (holder: Secret, from: string) =>
      throttle.passkeyAsked(from, () => proofs.options({ purpose: 'sign-in', browser: holder.hash() })),

    /** `holder`: the secret of the browser that asked for the options. */
    async signIn(
      holder: Secret | undefined,
      response: unknown,
      browser: Browser,
    ): Promise<SignedIn | Pending | NotByPasskey> {
      const { device, context } = browser
      const answer = await throttle.passkey(device.address, async accepted => {
        const answer = await attempt(holder, response, browser)
        if (!('refused' in answer)) await accepted()
        return answer
      })
      if ('refused' in answer) {
        const { refused: reason, user: actor } = answer
        await refused({ action: 'session.opened', reason, actor, context })
      }
      return answer
    },
  }
}
