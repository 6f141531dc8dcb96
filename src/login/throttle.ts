/** How often what may be tried, by whom: the limits, and the attempt that pays before it is made. */
import { createHash } from 'node:crypto'
import ipaddr from 'ipaddr.js'

/**
 * Points within a window that begins with the first attempt; so at most twice as many in any window of that length.
 * Without Redis each instance counts by itself; while a configured Redis is away each allows half.
 */
export const limits = {
  /** Wrong passwords for one account from one address. */
  'sign-in by account and address': { points: 10, seconds: 900 },
  /** Wrong passwords for one account from everywhere: a slow guess with many addresses. */
  'sign-in by account': { points: 100, seconds: 3600 },
  /**
   * Wrong passwords from one address, whatever the account: one password tried on many accounts. Signing out of a
   * session that Redis lacks counts too: anybody can make up its cookie, and it is remembered.
   */
  'sign-in by address': { points: 50, seconds: 900 },
  /** Wrong current passwords by one signed-in person, at a change of password or a step-up. */
  'current password by person': { points: 10, seconds: 900 },
  /** Links that were not accepted, from one address. */
  'link by address': { points: 30, seconds: 900 },
  /** Mails asked for from one address. */
  'mail by address': { points: 20, seconds: 3600 },
  /**
   * Mails with a link or notice of one kind to one recipient; over it the answer stays the same and no mail goes out.
   * By kind, and for no longer than a link lives: whoever asks in another's name takes no way back in from them.
   */
  'mail by recipient': { points: 3, seconds: 1800 },
  /** Sign-ins through providers that were begun from one address. Many people may sit behind one. */
  'federation by address': { points: 300, seconds: 900 },
  /** Requests of one person or service key to the admin API: a tenant's script in a loop takes nothing from others. */
  'admin by caller': { points: 1200, seconds: 60 },
} as const

export type LimitName = keyof typeof limits

/** Counts. Every instance shares the counts where there is a Redis; a limiter that fails counts here, and stricter. */
export interface Limiter {
  /** Takes a point. Answers 0, or the seconds until there is one again. Atomic: of parallel takers no more pass. */
  take(limit: LimitName, key: string): Promise<number>
  /** Gives a point back. */
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

export type Throttle = ReturnType<typeof createThrottle>

export function createThrottle(limiter: Limiter) {
  /**
   * Throws `Throttled` at the first limit that is exhausted, and gives back what it took before: an attempt that is
   * not made costs nobody else's, so one account hammered from an office does not close the office.
   */
  async function pay(prices: readonly (readonly [LimitName, string])[]): Promise<void> {
    for (const [index, [limit, key]] of prices.entries()) {
      const wait = await limiter.take(limit, key)
      if (wait === 0) continue
      await Promise.all(prices.slice(0, index).map(([taken, from]) => limiter.giveBack(taken, from)))
      throw new Throttled(limit, wait)
    }
  }

  return {
    /** Every attempt pays before its password is looked at; a right one gets its points back. */
    async signIn(account: string, address: string) {
      const pair = keyOf(account, network(address))
      const everywhere = keyOf(account)
      const from = keyOf(network(address))
      await pay([
        ['sign-in by address', from],
        ['sign-in by account and address', pair],
        ['sign-in by account', everywhere],
      ])
      return {
        async succeeded(): Promise<void> {
          await Promise.all([
            limiter.clear('sign-in by account and address', pair),
            limiter.giveBack('sign-in by account', everywhere),
            limiter.giveBack('sign-in by address', from),
          ])
        },
      }
    },

    async currentPassword(user: string) {
      const key = keyOf(user)
      await pay([['current password by person', key]])
      return { succeeded: () => limiter.clear('current password by person', key) }
    },

    signOut: (address: string) => pay([['sign-in by address', keyOf(network(address))]]),

    async link(address: string) {
      const key = keyOf(network(address))
      await pay([['link by address', key]])
      return { succeeded: () => limiter.giveBack('link by address', key) }
    },

    mailAsked: (address: string) => pay([['mail by address', keyOf(network(address))]]),

    /** Whether one more mail may go to this recipient. Nobody is told: it would say that the address is known. */
    mayMail: async (kind: 'sign-up' | 'password-reset' | 'invitation', recipient: string) =>
      (await limiter.take('mail by recipient', keyOf(kind, recipient))) === 0,

    federation: (address: string) => pay([['federation by address', keyOf(network(address))]]),

    admin: (caller: string) => pay([['admin by caller', keyOf(caller)]]),

    /** A new password frees its account: whoever was locked out by others' guesses comes back by a reset. */
    passwordReset: (account: string) => limiter.clear('sign-in by account', keyOf(account)),
  }
}

/** Counters are named by a hash: no address of a person lies in Redis. */
function keyOf(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('base64url')
}

/** Who is behind an address: IPv4 one by one, IPv6 by its /64, which is what one customer is given (RFC 6177). */
export function network(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${new ipaddr.IPv6([...(parsed as ipaddr.IPv6).parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`
}
