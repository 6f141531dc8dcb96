/** The password as a sign-in method: an address and a password in, an Identity or a refusal out. */
import { randomUUID } from 'node:crypto'
import { byPassword } from '../core/authentication.js'
import { type CanonicalEmail, parseEmailAddress } from '../core/email-address.js'
import { network } from '../core/network-address.js'
import type { Identity, PasswordCredential, UserId } from '../core/principal.js'
import { proves } from '../core/secret.js'
import type { Parts } from './parts.js'
import { type NormalisedPassword, readPassword } from './password-policy.js'
import type { Account, FreshReset } from './store.js'
import { Throttled } from './throttle.js'

/**
 * Failures in a row after which a password opens nothing any more, until a reset sets another one (NIST SP 800-63B-4,
 * section 3.2.2). A fresh reset carries one sign-in past it: its user has just proved the mailbox.
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

export function createPasswordSignIn(parts: Parts<'store' | 'hasher' | 'throttle' | 'inBackground'>) {
  const { store, hasher, throttle, inBackground } = parts

  return {
    /**
     * `from` is the client's network address, `passHash` of the pass that its browser has of a reset. Every attempt
     * pays for itself before the password is looked at.
     */
    async prove(
      email: string,
      rawPassword: string,
      from: string,
      passHash?: Buffer | undefined,
    ): Promise<SignInAnswer> {
      const parsed = parseEmailAddress(email)
      const password = readPassword(rawPassword)
      if (!parsed.ok || !password) return { refused: 'malformed' }
      const { canonical } = parsed.address
      try {
        return await throttle.signIn(canonical, from, async attempt => {
          const account = await store.findByEmail(canonical)
          const fresh = account?.password?.freshReset
          const fromThere = fresh?.network === network(from)
          await attempt.guess(account?.password?.version ?? 0, fromThere)
          const carried = fromThere || isItsPass(passHash, fresh)
          return judge(canonical, account, password, attempt.succeeded, carried)
        })
      } catch (error) {
        const carried =
          error instanceof Throttled && passHash && (await proveByPass(canonical, password, from, passHash))
        if (!carried) throw error
        return carried
      }
    },

    /** The same for a user who is known already: a change of password, a step-up. */
    async proveAgain(user: UserId, rawPassword: string): Promise<SignInAnswer> {
      const password = readPassword(rawPassword)
      if (!password) return { refused: 'malformed' }
      const account = await store.findById(user)
      return throttle.currentPassword(user, account?.password?.version ?? 0, succeeded =>
        judge(user, account, password, succeeded),
      )
    },
  }

  /** Past every limit but that of mailed links, which a wrong pass counts against. Undefined: it is not one of this account. */
  function proveByPass(
    email: CanonicalEmail,
    password: NormalisedPassword,
    from: string,
    passHash: Buffer,
  ): Promise<SignInAnswer | undefined> {
    return throttle.link(from, async accepted => {
      const account = await store.findByEmail(email)
      const fresh = account?.password?.freshReset
      if (!isItsPass(passHash, fresh)) return undefined
      await accepted()
      return throttle.signInAfterReset(passHash, succeeded =>
        judge(email, account, password, succeeded, true),
      )
    })
  }

  /** `whose` takes turns with all others at hashing: the same for an address that nobody has. */
  async function judge(
    whose: string,
    account: Account | undefined,
    password: NormalisedPassword,
    succeeded: () => Promise<void>,
    carried = false,
  ): Promise<SignInAnswer> {
    // An unknown address costs a hash as well, so that time does not tell who exists.
    const match = await hasher.verify(account?.password?.phc, password, whose)
    if (!account) return failed('unknown-address')
    const { user } = account
    if (!account.password) return failed('no-password', user)
    const { phc, version, failures, freshReset } = account.password
    if (failures >= mostFailures && !carried) return failed('too-many-failures', user)
    if (match === 'mismatch') return failed('wrong-password', user)
    if (!account.active) return { refused: 'disabled', user }
    if (failures > 0 || freshReset) inBackground('password success', () => store.forgetFailures(user))
    if (match === 'match-outdated-parameters') {
      await store.rehash(user, version, phc, await hasher.hash(password, whose))
    }
    await succeeded()
    return { identity: { user, ...byPassword, credential: { kind: 'password', version } } }
  }

  /** Counted after the answer, and by the same statement where there is nothing to count: its load tells nobody apart. */
  function failed(refused: SignInRefusal, user?: UserId): SignInAnswer {
    inBackground('password failure', () => store.recordFailure(user ?? (randomUUID() as UserId)))
    return { refused, ...(user !== undefined && { user }) }
  }
}

const isItsPass = (presented: Buffer | undefined, fresh: FreshReset | undefined) =>
  presented !== undefined && fresh !== undefined && proves(presented, fresh.passHash)
