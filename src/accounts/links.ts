/** Mailed links: a random token that the store knows only as a hash, in the fragment, which no server ever sees. */
import type { EmailAddress } from '../core/email-address.js'
import { newSecret, parseSecret } from '../core/secret.js'
import type { AccountStore, LinkPurpose } from './store.js'
import type { Throttle } from './throttle.js'

/** Of a link that its user has asked for, and waits for. */
export const linkMinutes = 30
/** Of one that comes unasked: to an account that an operator has made. */
export const welcomeDays = 7

const pages: Record<LinkPurpose, string> = {
  'sign-up': '/sign-up/verify',
  'password-reset': '/password/reset',
}

interface NewLinkOptions {
  /** Where its page leads on to. */
  readonly returnTo?: string | undefined
  /** How long it works. */
  readonly minutes?: number
  /** It does not work: the same statements are run, and nothing is stored. */
  readonly discarded?: boolean
}

/** Saves a new link and returns its address. */
export async function newLink(
  store: AccountStore,
  issuer: string,
  purpose: LinkPurpose,
  email: EmailAddress,
  { returnTo, minutes = linkMinutes, discarded = false }: NewLinkOptions = {},
) {
  const token = newSecret()
  await store.saveLink({ purpose, tokenHash: token.hash(), email, lifetimeSeconds: minutes * 60, discarded })
  const more = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`
  return `${issuer}${pages[purpose]}${more}#token=${token.reveal()}`
}

/** What an unused link stands for, as `look` finds it. Only an unknown one counts against the address it came from. */
export async function usableLink<T extends object>(
  throttle: Throttle,
  from: string,
  token: string,
  look: (hash: Buffer) => Promise<T | undefined>,
): Promise<(T & { readonly hash: Buffer }) | undefined> {
  return throttle.link(from, async accepted => {
    const hash = linkHash(token)
    const found = hash && (await look(hash))
    if (!hash || !found) return undefined
    await accepted()
    return { ...found, hash }
  })
}

/** The hash under which the store knows a token; undefined when it cannot be one of ours. */
export function linkHash(token: string): Buffer | undefined {
  return parseSecret(token)?.hash()
}
