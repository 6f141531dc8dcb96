/** The password as a sign-in method: an address and a password in, an Identity or a refusal out. */
import { parseEmailAddress } from '../directory/email-address.js'
import type { Identity, PasswordCredential, UserId } from '../principal.js'
import type { InBackground } from './mail.js'
import type { PasswordHasher } from './password-hash.js'
import { type NormalisedPassword, readPassword } from './password-policy.js'
import type { Account, AccountStore } from './store.js'
import type { Throttle } from './throttle.js'

/**
 * Failures in a row after which a password opens nothing any more, until a reset sets another one (NIST SP 800-63B-4,
 * section 3.2.2). The throttle lets nobody get here in less than hours.
 */
const mostFailures = 100

/** Why a sign-in was refused. For the log: the public answer is one and the same, in the same time. */
export type SignInRefusal =
  | 'unknown-address'
  | 'no-password'
  | 'wrong-password'
  | 'too-many-failures'
  | 'disabled'
  | 'malformed'

export type SignInAnswer =
  | { readonly identity: Identity & { readonly credential: PasswordCredential } }
  | { readonly refused: SignInRefusal; readonly user?: UserId }

export type PasswordSignIn = ReturnType<typeof createPasswordSignIn>

export interface PasswordSignInParts {
  readonly store: AccountStore
  readonly hasher: PasswordHasher
  readonly throttle: Throttle
  readonly inBackground: InBackground
}

export function createPasswordSignIn({ store, hasher, throttle, inBackground }: PasswordSignInParts) {
  return {
    /** `from` is the client's network address. Every attempt pays for itself before the password is looked at. */
    async prove(email: string, rawPassword: string, from: string): Promise<SignInAnswer> {
      const parsed = parseEmailAddress(email)
      const password = readPassword(rawPassword)
      if (!parsed.ok || !password) return { refused: 'malformed' }
      const { canonical } = parsed.address
      const attempt = await throttle.signIn(canonical, from)
      const answer = await judge(await store.findByEmail(canonical), password)
      if ('identity' in answer) await attempt.succeeded()
      return answer
    },

    /** The same for a person who is known already: a change of password, a step-up. */
    async proveAgain(user: UserId, rawPassword: string): Promise<SignInAnswer> {
      const password = readPassword(rawPassword)
      if (!password) return { refused: 'malformed' }
      const attempt = await throttle.currentPassword(user)
      const answer = await judge(await store.findById(user), password)
      if ('identity' in answer) await attempt.succeeded()
      return answer
    },
  }

  async function judge(account: Account | undefined, password: NormalisedPassword): Promise<SignInAnswer> {
    // An unknown address costs a hash as well, so that time does not tell who exists.
    const match = await hasher.verify(account?.password?.phc, password)
    if (!account) return { refused: 'unknown-address' }
    const { user } = account
    if (!account.password) return { refused: 'no-password', user }
    const { phc, version, failures } = account.password
    if (failures >= mostFailures) return { refused: 'too-many-failures', user }
    if (match === 'mismatch') {
      // Written after the answer: a write that only known addresses cost would tell them apart by its time.
      inBackground('password failure', () => store.recordFailure(user))
      return { refused: 'wrong-password', user }
    }
    if (!account.active) return { refused: 'disabled', user }
    if (failures > 0) inBackground('password success', () => store.forgetFailures(user))
    if (match === 'match-outdated-parameters') {
      await store.rehash(user, version, phc, await hasher.hash(password))
    }
    return { identity: { user, amr: ['pwd'], acr: 'aal1', credential: { kind: 'password', version } } }
  }
}
