// What a user may choose as a password (after NIST SP 800-63B-4, 3.1.1), and the form in which it is hashed.
import { inspect } from 'node:util'
import { blocked, type PasswordOwner } from './password-blocklist.js'

/** Over this a password is refused before anything costly sees it. */
export const MAX_PASSWORD_BYTES = 1024
/** NIST's floor where a second factor follows; no operator may go below. 15 is its minimum for one factor. */
const LOWEST_MIN_LENGTH = 8
export const DEFAULT_MIN_LENGTH = 15

const redacted = () => '[redacted]'

/**
 * A password in NFC, neither trimmed nor cut: two keyboards that compose "é" differently type the same one.
 * It can't be logged or serialised; only `utf8()`, meant for the hasher, gives it away.
 */
export class NormalisedPassword {
  readonly #text: string
  private constructor(text: string) {
    this.#text = text
  }
  static read(raw: string): NormalisedPassword | 'too_long' | 'malformed' {
    // Bounds the work of what follows. NFC takes at most 3 UTF-16 units into 2 bytes, so none of these could fit.
    if (raw.length > 2 * MAX_PASSWORD_BYTES) return 'too_long'
    // UTF-8 writes every lone surrogate as U+FFFD: different passwords would become one.
    if (!raw.isWellFormed()) return 'malformed'
    const text = raw.normalize('NFC')
    return Buffer.byteLength(text) > MAX_PASSWORD_BYTES ? 'too_long' : new NormalisedPassword(text)
  }
  utf8(): Buffer {
    return Buffer.from(this.#text)
  }
  toString = redacted
  toJSON = redacted;
  [inspect.custom] = redacted
}

/**
 * The password of a sign-in. Policy isn't applied (it may have been chosen under another one), normalisation and
 * the size limit are; `undefined` can't be anyone's password and is answered like a wrong one.
 */
export function readPassword(raw: string): NormalisedPassword | undefined {
  const read = NormalisedPassword.read(raw)
  return typeof read === 'string' ? undefined : read
}

/** `detail` is a sentence for the user choosing; it never repeats the password or any part of it. */
export type PasswordVerdict =
  | { ok: true; password: NormalisedPassword }
  | { ok: false; reason: 'too_short' | 'too_long' | 'malformed' | 'blocklisted'; detail: string }

/**
 * There are no composition rules ("one digit, one symbol"): they make passwords predictable. Length is counted
 * in code points after NFC. The blocklist judges whole passwords, not substrings: a passphrase may hold any word.
 */
export function createPasswordPolicy({
  minLength = DEFAULT_MIN_LENGTH,
  product = '',
}: {
  minLength?: number
  /** What pages and mail call the service. */
  product?: string
} = {}) {
  // NIST has verifiers accept 64 characters, so no more than that may be asked for.
  if (!Number.isInteger(minLength) || minLength < LOWEST_MIN_LENGTH || minLength > 64)
    throw new RangeError(`minLength must be an integer from ${LOWEST_MIN_LENGTH} to 64`)
  const refusals = {
    too_short: `Use at least ${minLength} characters. A few unrelated words are easy to remember.`,
    too_long: `Use at most ${MAX_PASSWORD_BYTES} characters (${MAX_PASSWORD_BYTES} bytes in UTF-8).`,
    malformed: 'This password contains an invalid character.',
  }
  return {
    async check(raw: string, owner: PasswordOwner = {}): Promise<PasswordVerdict> {
      const password = NormalisedPassword.read(raw)
      if (typeof password === 'string') return { ok: false, reason: password, detail: refusals[password] }
      const text = password.utf8().toString()
      if ([...text].length < minLength) return { ok: false, reason: 'too_short', detail: refusals.too_short }
      const detail = await blocked(text.toLowerCase(), { ...owner, product })
      return detail ? { ok: false, reason: 'blocklisted', detail } : { ok: true, password }
    },
  }
}

export type PasswordPolicy = ReturnType<typeof createPasswordPolicy>
