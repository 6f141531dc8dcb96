// What an email address is here, and the canonical form by which accounts are unique.
import { domainToASCII, domainToUnicode } from 'node:url'

/** The only form that is compared and indexed; nothing but `parseEmailAddress` makes one. */
export type CanonicalEmail = string & { readonly __brand: 'CanonicalEmail' }

/**
 * `asTyped` (in NFC) is for delivery and display, because a mail server may tell upper from lower case; `canonical`
 * is for everything else. Mail about an existing account goes to the address stored with the account, never to
 * the one just typed: two addresses with one canonical form may be two mailboxes.
 */
export type EmailAddress = { readonly asTyped: string; readonly canonical: CanonicalEmail }

export type EmailFault =
  | 'too_long'
  /** Control, invisible or unassigned characters, white space, or the comma or semicolon of a list. */
  | 'forbidden_character'
  /** Written with stand-ins for other characters (full-width letters, ligatures), or Latin mixed with look-alikes. */
  | 'look_alike'
  | 'not_one_at'
  | 'non_ascii_local_part'
  | 'local_part'
  | 'domain'

export type ParsedEmail = { ok: true; address: EmailAddress } | { ok: false; reason: EmailFault }

const MAX_BYTES = 254
const MAX_LOCAL_BYTES = 64
const MAX_LABEL_BYTES = 63

/**
 * The one reading of an address, for sign-up, sign-in and what an identity provider asserts alike: two readings
 * would be two answers to "is this the same user?".
 *
 * - The whole address is lower-cased, the local part too. RFC 5321 lets a mail server tell `Jane@` from `jane@`,
 *   almost none does, and users type either: two accounts that differ in case alone would be a trap.
 * - Dots and `+tag` are kept as they are: what they mean is their provider's business and may change. Folding them
 *   would let one mailbox's owner reach the account of another wherever we guessed wrong.
 * - The domain is turned to its ASCII form (IDNA), which may lower-case it and nothing else: where IDNA would map
 *   a character to another one or drop it, the address is refused, so that no spelling is silently another one.
 * - Local parts are ASCII. SMTPUTF8 allows more, but no mail server promises which spellings are one mailbox, and
 *   `pаypal@` with a Cyrillic `а` would pass for another user in every list that an administrator reads.
 * - Quoted local parts, comments, address literals and domains without a dot aren't addresses of users.
 * - Nothing is trimmed or repaired.
 */
export function parseEmailAddress(raw: string): ParsedEmail {
  if (raw.length > MAX_BYTES) return refused('too_long')
  if (!raw.isWellFormed() || /[\p{C}\p{Z},;]/u.test(raw)) return refused('forbidden_character')
  const asTyped = raw.normalize('NFC')
  // The three characters (Greek question mark, varia, Kelvin sign) that even NFC turns into ASCII.
  if (asTyped.normalize('NFKC') !== asTyped || /[\u037e\u1fef\u212a]/.test(raw)) return refused('look_alike')

  const [local, domain, ...more] = asTyped.split('@')
  if (local === undefined || domain === undefined || more.length > 0) return refused('not_one_at')
  const localFault = judgeLocalPart(local)
  if (localFault) return refused(localFault)
  const ascii = asciiDomain(domain)
  if (!ascii.ok) return refused(ascii.reason)

  const canonical = `${local.toLowerCase()}@${ascii.domain}` as CanonicalEmail
  if (canonical.length > MAX_BYTES) return refused('too_long')
  return { ok: true, address: { asTyped, canonical } }
}

const refused = (reason: EmailFault) => ({ ok: false, reason }) as const

function judgeLocalPart(local: string): EmailFault | undefined {
  if (Buffer.byteLength(local) > MAX_LOCAL_BYTES) return 'too_long'
  if (/\P{ASCII}/u.test(local)) return 'non_ascii_local_part'
  // RFC 5321's Dot-string.
  const atoms = local.split('.')
  return atoms.every(atom => /^[\w!#$%&'*+/=?^`{|}~-]+$/.test(atom)) ? undefined : 'local_part'
}

function asciiDomain(domain: string): { ok: true; domain: string } | { ok: false; reason: EmailFault } {
  // Before IDNA, which would decode `%2e`, cut at a slash and drop what can't be seen.
  const typed = domain.split('.')
  if (typed.length < 2 || !typed.every(isLabel)) return refused('domain')
  const ascii = domainToASCII(domain)
  const labels = ascii.split('.')
  if (labels.some(label => label === '' || label.length > MAX_LABEL_BYTES)) return refused('domain')

  const unicode = domainToUnicode(ascii).split('.')
  const rewritten = typed
    .map(label => label.toLowerCase().normalize('NFC'))
    .some((label, i) => {
      return label !== labels[i] && label !== unicode[i]
    })
  if (rewritten) return refused('domain')
  if (unicode.some(mixesLookAlikes)) return refused('look_alike')
  // No top-level domain is a number: this is an IPv4 address.
  return /^\d+$/.test(labels.at(-1) ?? '') ? refused('domain') : { ok: true, domain: ascii }
}

const isLabel = (label: string) => /^[\p{L}\p{M}\p{N}-]+$/u.test(label) && !/^-|-$/.test(label)

/** The three scripts whose letters pass for each other; no registry sells a label that mixes them. */
const mixesLookAlikes = (label: string) =>
  [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u].filter(script => script.test(label))
    .length > 1
