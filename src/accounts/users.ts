/** Users as operators create, stop and remove them. (Users who sign up themselves come in by a mailed link.) */

import type { Actor } from '../audit/events.js'
import type { PlatformRole } from '../core/authority.js'
import { type CanonicalEmail, type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import type { Page, PageRequest } from '../core/page.js'
import type { UserId } from '../core/principal.js'
import { newLink, welcomeDays } from './links.js'
import type { Parts } from './parts.js'

export interface User {
  readonly id: UserId
  readonly email: string
  readonly name: string | null
  readonly state: 'active' | 'disabled'
  readonly platformRoles: readonly PlatformRole[]
  /** NumericDate. */
  readonly createdAt: number
}

export interface UserChange {
  readonly name?: string | null | undefined
  readonly state?: User['state'] | undefined
  readonly platformRoles?: readonly PlatformRole[] | undefined
}

type NotChanged = 'unknown' | 'forbidden' | 'last-administrator'

export interface NewUser {
  readonly email: EmailAddress
  readonly name: string | undefined
  /** A hashed password; without one the user sets it by a mailed link. */
  readonly phc: string | undefined
}

/**
 * Rules (test/conformance/user-store.ts): each is one transaction with its audit rows.
 * - `change` and `remove` are for callers who hold, in that moment, what the user holds and will hold: nobody gives
 *   what they do not hold, nor stops or lowers those above them. `disable` and `enable` are changes of the state alone.
 * - An installation keeps its last active administrator, also where several lay down the role at once: no request
 *   disables, lowers or removes them. An operator's command does: it makes the next one, too.
 * - `disable` ends all sessions of the user, by the epoch, in the transaction that disables. It is no error twice.
 * - `enable` brings none of them back.
 * - `remove` deletes the user with password, memberships, sessions and unused links. What the audit log says stays.
 */
export interface UserStore {
  create(user: NewUser, actor: Actor): Promise<User | 'address-taken' | 'repeated-differently'>
  read(user: UserId): Promise<User | undefined>
  /** Of all users, or of the one with this address. */
  list(page: PageRequest, email?: CanonicalEmail): Promise<Page<User>>
  change(user: UserId, to: UserChange, actor: Actor): Promise<User | NotChanged>
  find(who: UserId | { readonly email: CanonicalEmail }): Promise<UserId | undefined>
  disable(user: UserId, actor: Actor): Promise<'disabled' | NotChanged>
  enable(user: UserId, actor: Actor): Promise<'enabled' | NotChanged>
  /** Whether somebody is an active administrator. */
  hasAdministrator(): Promise<boolean>
  remove(user: UserId, actor: Actor): Promise<'removed' | NotChanged>
}

export type Users = ReturnType<typeof createUsers>

export function createUsers(
  users: UserStore,
  parts: Parts<'store' | 'issuer' | 'throttle' | 'mailer' | 'inBackground'>,
) {
  const { store, issuer, throttle, mailer, inBackground } = parts

  /** A link by which the user chooses a password. */
  function welcome(address: EmailAddress): void {
    inBackground('welcome mail', () =>
      throttle.mail('welcome', address.canonical, async () => {
        const link = await newLink(store, issuer, 'password-reset', address, { minutes: welcomeDays * 1440 })
        const resetPage = `${issuer}/password/forgot`
        const mail = { link, validDays: welcomeDays, resetPage }
        await mailer.send({ kind: 'welcome', to: address.asTyped, ...mail })
      }),
    )
  }

  return {
    ...users,

    /** Without a password they get a link by mail. */
    async create(user: NewUser, actor: Actor) {
      const created = await users.create(user, actor)
      if (typeof created !== 'string' && user.phc === undefined) welcome(user.email)
      return created
    },

    /** The link once more, to somebody who has not chosen a password yet. `ready` throws where mail cannot be sent. */
    async sendLink(id: UserId, actor: Actor, ready = async () => {}) {
      // A change of nothing: whether this caller may change this user.
      const user = await users.change(id, {}, actor)
      if (typeof user === 'string') return user
      const account = await store.findById(id)
      if (account?.password !== undefined) return 'has-password' as const
      const parsed = parseEmailAddress(user.email)
      if (!parsed.ok) throw new Error(parsed.reason)
      await ready()
      welcome(parsed.address)
      return user
    },
  }
}

/** As JSON shows it. */
export function describeUser({ id, email, name, state, platformRoles, createdAt }: User) {
  return { id, email, name, state, platform_roles: [...platformRoles], created_at: createdAt }
}
