/** What users do with their second factors: see, name and remove them, set up apps, and make new recovery codes. */
import type { Actor } from '../audit/events.js'
import type { FactorId, Principal } from '../core/principal.js'
import type { FactorActor } from './factors.js'
import type { Parts } from './parts.js'
import { newRecoveryCodes } from './recovery-codes.js'
import { newTotp, openTotp, stepOf, totpAddress, totpSealedAs } from './totp.js'

/** Whose account it is, as strong as the session is, and where its mail goes. */
export interface Owner {
  readonly principal: Principal
  readonly email: string
  readonly name: string | null
  readonly actor: Actor
}

/** What an app that was not named is called. */
const defaultName = 'Authenticator app'

export type FactorManagement = ReturnType<typeof createFactorManagement>

export function createFactorManagement(
  parts: Parts<'issuer' | 'keks' | 'factors' | 'factorResets' | 'mailer' | 'inBackground'> & {
    /** What an app calls this service. */
    readonly product: string
  },
) {
  const { issuer, keks, product, factors, factorResets, mailer, inBackground } = parts

  return {
    of: ({ user }: Principal) => factors.of(user),

    /** The secret is answered this once. It is no factor before a code of it was confirmed. */
    async beginTotp(owner: Owner, name = defaultName) {
      const { user } = owner.principal
      const { id, secret } = newTotp()
      const sealed = keks.seal(Buffer.from(secret), totpSealedAs(issuer, user, id))
      const enrolled = await factors.enrol(asActor(owner), id, name, sealed)
      return enrolled === 'weak' ? enrolled : { secret, address: totpAddress(secret, product, owner.email) }
    },

    /** The address of the app that is being set up, for its page to be shown again; undefined: there is none. */
    async unconfirmedTotp({ principal: { user, session }, email }: Owner) {
      const sealed = await factors.unconfirmed(user, session)
      if (!sealed) return undefined
      const secret = openTotp(keks, issuer, user, sealed)
      return { secret, address: totpAddress(secret, product, email) }
    },

    /** Answers the recovery codes, in the one moment in which they can be read; none where there are some already. */
    async confirmTotp(owner: Owner, code: string) {
      const { user, session } = owner.principal
      const sealed = await factors.unconfirmed(user, session)
      if (!sealed) return 'unknown' as const
      const step = stepOf(openTotp(keks, issuer, user, sealed), code, sealed.now)
      if (step === undefined) return 'wrong-code' as const
      const { shown, hashes } = newRecoveryCodes()
      const proof = { kind: 'totp', factor: sealed.id, step } as const
      const confirmed = await factors.confirm(asActor(owner), proof, hashes)
      if (typeof confirmed === 'string') return confirmed
      const { name, codesStored } = confirmed
      tell(owner, { kind: 'factor-added', name })
      return { recoveryCodes: codesStored ? shown : [] }
    },

    rename: (owner: Owner, id: string, name: string) => factors.rename(asActor(owner), id as FactorId, name),

    async remove(owner: Owner, id: string) {
      const answer = await factors.remove(asActor(owner), id as FactorId)
      if (typeof answer === 'string') return answer
      tell(owner, { kind: 'factor-removed', name: answer.removed.name, last: answer.last })
      return 'removed' as const
    },

    async replaceCodes(owner: Owner) {
      const { shown, hashes } = newRecoveryCodes()
      const answer = await factors.replaceCodes(asActor(owner), hashes)
      if (answer !== 'replaced') return answer
      tell(owner, { kind: 'recovery-codes-replaced' })
      return { recoveryCodes: shown }
    },

    /** By any session of the user, however strong: a user who lost their factors has no stronger one. */
    async stopReset(owner: Owner) {
      const stopped = await factorResets.stop(owner.principal.user, owner.actor)
      if (stopped) tell(stopped, { kind: 'factors-reset-stopped' })
      return stopped !== undefined
    },
  }

  function tell({ email: to }: { readonly email: string }, mail: FactorMail): void {
    inBackground('factors mail', () => mailer.send({ ...mail, to }))
  }
}

type FactorMail =
  | { readonly kind: 'factor-added'; readonly name: string }
  | { readonly kind: 'factor-removed'; readonly name: string; readonly last: boolean }
  | { readonly kind: 'recovery-codes-replaced' | 'factors-reset-stopped' }

/** As a change of factors is judged. */
export const asActor = ({ principal: { user, session, acr }, actor }: Owner): FactorActor => ({
  user,
  session,
  acr,
  actor,
})
