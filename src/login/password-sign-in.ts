/** The password as a sign-in method: an address and a password in, an Identity or a refusal out. */
import { parseEmailAddress } from '../directory/email-address.js'
import type { Identity, UserId } from '../principal.js'
import type { PasswordHasher } from './password-hash.js'
import { type NormalisedPassword, readPassword } from './password-policy.js'
import type { Account, AccountStore } from './store.js'

/** Why a sign-in was refused. For the log: the public answer is one and the same, in the same time. */
export type SignInRefusal = 'unknown-address' | 'no-password' | 'wrong-password' | 'disabled' | 'malformed'

export type SignInAnswer =
  | { readonly identity: Identity }
  | { readonly refused: SignInRefusal; readonly user?: UserId }

export type PasswordSignIn = ReturnType<typeof createPasswordSignIn>

export function createPasswordSignIn(store: AccountStore, hasher: PasswordHasher) {
  return {
    async prove(email: string, rawPassword: string): Promise<SignInAnswer> {
      const address = parseEmailAddress(email)
      const password = readPassword(rawPassword)
      if (!address.ok || !password) return { refused: 'malformed' }
      return judge(await store.findByEmail(address.address.canonical), password)
    },

    /** The same for a person who is known already: a change of password, later a step-up. */
    async proveAgain(user: UserId, rawPassword: string): Promise<SignInAnswer> {
      const password = readPassword(rawPassword)
      if (!password) return { refused: 'malformed' }
      return judge(await store.findById(user), password)
    },
  }

  async function judge(account: Account | undefined, password: NormalisedPassword): Promise<SignInAnswer> {
    // An unknown address costs a hash as well, so that time does not tell who exists.
    const match = await hasher.verify(account?.password?.phc, password)
    if (!account) return { refused: 'unknown-address' }
    const { user } = account
    if (!account.password) return { refused: 'no-password', user }
    if (match === 'mismatch') return { refused: 'wrong-password', user }
    if (!account.active) return { refused: 'disabled', user }
    const { phc, version } = account.password
    if (match === 'match-outdated-parameters') {
      await store.rehash(user, version, phc, await hasher.hash(password))
    }
    return { identity: { user, amr: ['pwd'], acr: 'aal1', credential: { kind: 'password', version } } }
  }
}
