/** How often what may be tried, by whom: the limits, and the attempt that pays before it is made. */
import { createHash } from 'node:crypto'
import { network } from '../core/network-address.js'
import type { TenantId, UserId } from '../core/principal.js'

/**
 * Points within a window that begins with the first attempt; so at most twice as many in any window of that length.
 * Without Redis each instance counts by itself; while a configured Redis is away each allows half.
 */
export interface Limit {
  readonly points: number
  readonly seconds: number
}

/** As documented. Each is a setting (src/boot/limit-settings.ts). */
export const limits = {
  /** Wrong passwords for one account from one address. */
  'sign-in by account and address': { points: 10, seconds: 900 },
  /** Wrong passwords for one account from everywhere: a slow guess with many addresses. */
  'sign-in by account': { points: 100, seconds: 3600 },
  /** Wrong passwords from one address, whatever the account: one password tried on many accounts. */
  'sign-in by address': { points: 50, seconds: 900 },
  /** Sign-outs from one address out of sessions that Redis lacks. Many users may sit behind one. */
  'sign-out by address': { points: 100, seconds: 900 },
  /** Wrong current passwords by one signed-in user, at a change of password or a step-up. */
  'current password by person': { points: 10, seconds: 900 },
  /** Links that were not accepted, from one address. */
  'link by address': { points: 30, seconds: 900 },
  /** Mails asked for from one address. */
  'mail by address': { points: 20, seconds: 3600 },
  /**
   * Mails with a link or notice of one kind to one recipient; over it the answer stays the same and no mail goes out.
   * By kind, and for no longer than a link lives: anybody who asks in another's name takes no way back in from them.
   */
  'mail by recipient': { points: 3, seconds: 1800 },
  /** Invitations into one tenant, and by one user into all of theirs: strangers get them from our own sender. */
  'invitation by tenant': { points: 200, seconds: 86_400 },
  'invitation by person': { points: 50, seconds: 3600 },
  /** Sign-ins through providers that were begun from one address. Many users may sit behind one. */
  'federation by address': { points: 300, seconds: 900 },
  /** Challenges of passkeys that were asked for from one address, and answers to them that were not accepted. */
  'passkey by address': { points: 300, seconds: 900 },
  /** Requests of one user or service key to the admin API: a tenant's script in a loop takes nothing from others. */
  'admin by caller': { points: 1200, seconds: 60 },
  /** Refusals of one user, service key or session, or else from one address: each is a row that is kept. */
  'refusals by caller': { points: 300, seconds: 900 },
} as const satisfies Record<string, Limit>

export type LimitName = keyof typeof limits
export type Limits = { readonly [K in LimitName]: Limit }

/** What takes from the narrow limit takes from the wide one too. */
export const narrower: readonly (readonly [wide: LimitName, narrow: LimitName])[] = [
  ['sign-in by account', 'sign-in by account and address'],
  ['sign-in by address', 'sign-in by account and address'],
  ['invitation by tenant', 'invitation by person'],
]

/** Counts. Every instance shares the counts where there is a Redis; a limiter that fails counts here, and stricter. */
export interface Limiter {
  /** Takes a point. Answers 0, or the seconds until there is one again; then none was taken. Atomic: of parallel takers no more pass. */
  take(limit: LimitName, key: string): Promise<number>
  /** Gives a point back, where one was taken. */
  giveBack(limit: LimitName, key: string): Promise<void>
  /** Forgets all that was taken. */
  clear(limit: LimitName, key: string): Promise<void>
}

/** An attempt was not made: too many before it. */
export class Throttled extends Error {
  override readonly name = 'Throttled'
  readonly limit: LimitName
  readonly retryAfterSeconds: number

  constructor(limit: LimitName, retryAfterSeconds: number) {
    super(`throttled: ${limit}`)
    this.limit = limit
    this.retryAfterSeconds = retryAfterSeconds
  }
}

type Price = readonly [limit: LimitName, key: string]

/** Gives back what an attempt has paid. A second call gives nothing. */
type Refund = () => Promise<void>

export interface SignInAttempt {
  /**
   * Pays for a guess at this password, before it is looked at. The counts are those of one password: a new one, of
   * whatever version, begins with none, on every instance at once. `carried`: its user has just reset it from this
   * network, and does not pay for what is guessed from others.
   */
  guess(version: number, carried: boolean): Promise<void>
  succeeded(): Promise<void>
}

export type Throttle = ReturnType<typeof createThrottle>

export function createThrottle(limiter: Limiter) {
  /**
   * The one way to take points. What ends in an error was not judged (throttled by another limit, an outage, a full
   * queue), and costs nothing: our own trouble locks nobody out, and one account hammered from an office does not
   * close the office.
   */
  async function attempt<T>(
    prices: readonly Price[],
    work: (refund: Refund, pay: (...more: readonly Price[]) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const paid: Price[] = []
    const refund = async () => {
      await Promise.all(paid.splice(0).map(([limit, key]) => limiter.giveBack(limit, key)))
    }
    const pay = async (...wanted: readonly Price[]) => {
      for (const price of wanted) {
        const wait = await limiter.take(...price)
        if (wait > 0) throw new Throttled(price[0], wait)
        paid.push(price)
      }
    }
    try {
      await pay(...prices)
      return await work(refund, pay)
    } catch (error) {
      await refund()
      throw error
    }
  }

  /** A right password clears the count of its pair; elsewhere it gets back what it paid. */
  async function cleared(pair: Price, refund: Refund): Promise<void> {
    await refund()
    await limiter.clear(...pair)
  }

  return {
    /** Pays by the address before anything is read, by the account before the password is looked at. */
    signIn<T>(account: string, from: string, work: (attempt: SignInAttempt) => Promise<T>): Promise<T> {
      const address = network(from)
      return attempt([['sign-in by address', keyOf(address)]], (refund, pay) => {
        let pair: Price | undefined
        return work({
          async guess(version, carried) {
            pair = ['sign-in by account and address', keyOf(account, `${version}`, address)]
            await pay(pair)
            if (!carried) await pay(['sign-in by account', keyOf(account, `${version}`)])
          },
          succeeded: () => (pair ? cleared(pair, refund) : refund()),
        })
      })
    },

    /** With the pass of a fresh reset: it proves the mailbox, so what others have guessed does not count against it. */
    signInAfterReset<T>(passHash: Buffer, work: (succeeded: Refund) => Promise<T>): Promise<T> {
      const pair: Price = ['sign-in by account and address', keyOf('reset', passHash.toString('base64url'))]
      return attempt([pair], refund => work(() => cleared(pair, refund)))
    },

    /** Of somebody who is signed in. As with a sign-in, a new password begins without failures. */
    currentPassword<T>(user: UserId, version: number, work: (succeeded: Refund) => Promise<T>): Promise<T> {
      const pair: Price = ['current password by person', keyOf(user, `${version}`)]
      return attempt([pair], refund => work(() => cleared(pair, refund)))
    },

    /** Of a session that the store of sessions lacks: anybody can make up its cookie, and it is remembered. */
    signOut: <T>(from: string, work: () => Promise<T>) =>
      attempt([['sign-out by address', keyOf(network(from))]], work),

    link: <T>(from: string, work: (accepted: Refund) => Promise<T>) =>
      attempt([['link by address', keyOf(network(from))]], work),

    mailAsked: <T>(from: string, work: () => Promise<T>) =>
      attempt([['mail by address', keyOf(network(from))]], work),

    /**
     * Sends one more mail to this recipient, or none over the limit. Nobody is told: it would say that the address is
     * known. A mail that did not go out does not count.
     */
    async mail(kind: MailLimited, recipient: string, send: () => Promise<void>): Promise<void> {
      try {
        await attempt([['mail by recipient', keyOf(kind, recipient)]], send)
      } catch (error) {
        if (!(error instanceof Throttled)) throw error
      }
    },

    /** `inviter`: undefined for a service key, which an operator has made. `undone` gives back what invited nobody. */
    invitation: <T>(tenant: TenantId, inviter: UserId | undefined, work: (undone: Refund) => Promise<T>) =>
      attempt(
        [
          ['invitation by tenant', keyOf(tenant)],
          ...(inviter === undefined ? [] : [['invitation by person', keyOf(inviter)] as const]),
        ],
        work,
      ),

    /** `unavailable` is for a provider that could not be asked. */
    federation: <T>(from: string, work: (unavailable: Refund) => Promise<T>) =>
      attempt([['federation by address', keyOf(network(from))]], work),

    /** Each challenge is a row: asking for one always pays. */
    passkeyAsked: <T>(from: string, work: () => Promise<T>) =>
      attempt([['passkey by address', keyOf(network(from))]], work),

    passkey: <T>(from: string, work: (accepted: Refund) => Promise<T>) =>
      attempt([['passkey by address', keyOf(network(from))]], work),

    /** Each request of a caller. It is judged long after this: `adminFailed` gives its point back. */
    admin: (caller: string) => attempt([['admin by caller', keyOf(caller)]], async () => {}),
    adminFailed: (caller: string) => limiter.giveBack('admin by caller', keyOf(caller)),

    /** `caller` is undefined where nobody was proved: whose account was tried has no part in it. */
    refused: <T>(caller: string | undefined, address: string, work: () => Promise<T>) =>
      attempt([['refusals by caller', keyOf(caller ?? network(address))]], work),
  }
}

type MailLimited = 'sign-up' | 'password-reset' | 'invitation' | 'welcome'

/** Counters are named by a hash: no address of a user is stored in Redis. */
function keyOf(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('base64url')
}
