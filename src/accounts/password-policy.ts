// What a person may choose as a password (after NIST SP 800-63B-4, 3.1.1), and the form in which it is hashed.
import { inspect } from 'node:util'

/** Over this a password is refused before anything costly sees it. */
export const MAX_PASSWORD_BYTES = 1024
/** NIST's floor where a second factor follows; no operator may go below. 15 is its minimum for one factor. */
export const LOWEST_MIN_LENGTH = 8
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

/** `detail` is a sentence for the person choosing; it never repeats the password or any part of it. */
export type PasswordVerdict =
  | { ok: true; password: NormalisedPassword }
  | { ok: false; reason: 'too_short' | 'too_long' | 'malformed' | 'blocklisted'; detail: string }

/** Whose password it is: what an attacker tries first. */
export type PasswordOwner = { email?: string | undefined; name?: string | undefined }

/**
 * There are no composition rules ("one digit, one symbol"): they make passwords predictable. Length is counted
 * in code points after NFC. The blocklist compares whole passwords, not substrings: a passphrase may hold any word.
 * The list of common passwords is loaded by the first check that needs it, not at start-up.
 */
export function createPasswordPolicy({ minLength = DEFAULT_MIN_LENGTH }: { minLength?: number } = {}) {
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
      const detail = await blocked(text.toLowerCase(), owner)
      return detail ? { ok: false, reason: 'blocklisted', detail } : { ok: true, password }
    },
  }
}

export type PasswordPolicy = ReturnType<typeof createPasswordPolicy>

async function blocked(text: string, owner: PasswordOwner): Promise<string | undefined> {
  if (madeOfContext(text, owner)) return BLOCKED.context
  if (isTrivial(text)) return BLOCKED.trivial
  return (await isCommon(text)) ? BLOCKED.common : undefined
}

const BLOCKED = {
  context: 'This password is too similar to your name, your email address or the name of this service.',
  trivial: 'This password is a simple pattern, such as a repetition or a row of keys.',
  common: 'This password is one of the first that attackers try.',
}

const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{M}\p{N}]+/gu

/** Whether nothing but context words, in any order and number, digits and punctuation stand in it. */
function madeOfContext(text: string, { email = '', name = '' }: PasswordOwner): boolean {
  const known = `mintmark ${email.slice(0, 254)} ${name.slice(0, 254)}`.normalize('NFC').toLowerCase()
  const words = known.split(NEITHER_LETTER_NOR_DIGIT).filter(word => !/^\d{0,3}$/.test(word))
  const rest = text.replace(NEITHER_LETTER_NOR_DIGIT, '')
  // reached[i]: rest up to i is digits (false) or digits and at least one context word (true).
  const reached: (boolean | undefined)[] = [false]
  for (let i = 0; i < rest.length; i++) {
    if (reached[i] === undefined) continue
    for (const word of words) if (rest.startsWith(word, i)) reached[i + word.length] = true
    if (/\d/.test(rest.charAt(i))) reached[i + 1] ||= reached[i]
  }
  return reached[rest.length] === true
}

const KEYBOARD = ['qwertyuiopasdfghjklzxcvbnm', 'qwertzuiopasdfghjklyxcvbnm', 'azertyuiopqsdfghjklmwxcvbn']
const ZIGZAG = ['1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p', 'q1w2e3r4t5y6u7i8o9p0', '1q2w3e4r5t6y7u8i9o0p']
const FORWARD = ['abcdefghijklmnopqrstuvwxyz', '1234567890', '!@#$%^&*()', ...KEYBOARD, ...ZIGZAG]
/** Each in both directions and doubled, so that a row may go on at its beginning. */
const ROWS = [...FORWARD, ...FORWARD.map(row => [...row].reverse().join(''))].map(row => row + row)

/** Its weight is its length with every run of 4 or more (one character, one row) counted as one character. */
function isTrivial(text: string): boolean {
  if (period(text) < LOWEST_MIN_LENGTH && period(text) * 2 <= text.length) return true
  let weight = 0
  for (let i = 0; i < text.length; weight++) i += runAt(text, i)
  return weight < Math.min(LOWEST_MIN_LENGTH, text.length / 2)
}

function runAt(text: string, start: number): number {
  let length = 4
  while (start + length <= text.length && isRun(text.slice(start, start + length))) length++
  return length === 4 ? 1 : length - 1
}
const isRun = (text: string) => period(text) === 1 || ROWS.some(row => row.includes(text))

/** The length of the unit that it repeats, the last time perhaps in part; its own length if none. */
function period(text: string): number {
  let unit = 1
  while (!text.startsWith(text.slice(unit))) unit++
  return unit
}

let commonList: Promise<Set<string>> | undefined
/** The whole, the unit it repeats, or either before a tail of digits and punctuation that adds little. */
async function isCommon(text: string): Promise<boolean> {
  commonList ??= import('@zxcvbn-ts/language-common').then(m => new Set(m.dictionary['passwords-common']))
  const common = await commonList
  return [text, text.slice(0, period(text))].some(whole => {
    const word = whole.replace(/[^\p{L}\p{M}]+$/u, '')
    const littleAdded = whole.length <= 2 * word.length || isTrivial(whole.slice(word.length))
    return common.has(whole) || (word.length >= 4 && common.has(word) && littleAdded)
  })
}
