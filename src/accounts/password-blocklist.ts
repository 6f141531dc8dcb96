// Passwords that attackers try first (NIST SP 800-63B-4, 3.1.1.2: common, expected, or of this context), judged as a whole.

/** Whose password it is, and at which service. */
export type PasswordContext = PasswordOwner & { readonly product: string }
export type PasswordOwner = { email?: string | undefined; name?: string | undefined }

/** The sentence that says why it is refused. `text` is in lower case. The list of common ones is loaded by the first call that needs it. */
export async function blocked(text: string, context: PasswordContext): Promise<string | undefined> {
  const names = namesIn(context)
  if (isMadeOf(text, names, Number.POSITIVE_INFINITY)) return BLOCKED.context
  if (isTrivial(text)) return BLOCKED.trivial
  const { all, top } = await commonPasswords()
  const known = new Set([...names, ...top, ...PHRASES])
  return isCommon(text, all) || isMadeOf(text, known, MOST_KNOWN_WORDS) ? BLOCKED.common : undefined
}

const BLOCKED = {
  context: 'This password is too similar to your name, your email address or the name of this service.',
  trivial: 'This password is a simple pattern, such as a repetition or a row of keys.',
  common: 'This password is one of the first that attackers try.',
}

const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{M}\p{N}]+/gu

function namesIn({ email = '', name = '', product }: PasswordContext): ReadonlySet<string> {
  const known = `${product.slice(0, 254)} ${email.slice(0, 254)} ${name.slice(0, 254)}`
  const words = known.normalize('NFC').toLowerCase().split(NEITHER_LETTER_NOR_DIGIT)
  return new Set(words.filter(word => !/^\d{0,3}$/.test(word)))
}

/** They add nothing that has to be guessed. */
const FILLERS = new Set(
  'a an and are at be for i in is it its me my new not of old on or our so that the this to very was we with you your'.split(
    ' ',
  ),
)
/** Famous as passphrases, or as sentences. */
const PHRASES = [
  'correcthorsebatterystaple',
  'thequickbrownfox',
  'jumpsoverthelazydog',
  'tobeornottobe',
  'thatisthequestion',
  'maytheforcebewithyou',
  'onceuponatime',
  'winteriscoming',
]
/** Of the most common passwords so many count as words, of which a password needs more than three: about 2^33 tries. */
const TOP = 2000
const MOST_KNOWN_WORDS = 3

/** Whether nothing stands in it but these words, at least one and at most so many, with fillers, digits and punctuation. */
function isMadeOf(text: string, words: ReadonlySet<string>, most: number): boolean {
  const rest = text.replace(NEITHER_LETTER_NOR_DIGIT, '')
  const lengths = [...new Set([...words, ...FILLERS, '0'].map(({ length }) => length))]
  /** At i: the fewest words that lead there, without any as a case of its own. */
  const fewest: number[] = Array(rest.length + 1).fill(Number.POSITIVE_INFINITY)
  const none: boolean[] = [true]
  for (let i = 0; i < rest.length; i++) {
    const before = Math.min(none[i] ? 0 : Number.POSITIVE_INFINITY, fewest[i] as number)
    if (before === Number.POSITIVE_INFINITY) continue
    for (const length of lengths) {
      const end = i + length
      if (end > rest.length) continue
      const part = rest.slice(i, end)
      if (words.has(part)) fewest[end] = Math.min(fewest[end] as number, before + 1)
      if (!FILLERS.has(part) && !(length === 1 && /\d/.test(part))) continue
      none[end] ||= none[i] === true
      fewest[end] = Math.min(fewest[end] as number, fewest[i] as number)
    }
  }
  const least = fewest[rest.length] as number
  return Number.isFinite(least) && least <= most
}

/** The least length that an operator may ask for. */
const SHORTEST = 8
const KEYBOARD = ['qwertyuiopasdfghjklzxcvbnm', 'qwertzuiopasdfghjklyxcvbnm', 'azertyuiopqsdfghjklmwxcvbn']
const ZIGZAG = ['1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p', 'q1w2e3r4t5y6u7i8o9p0', '1q2w3e4r5t6y7u8i9o0p']
const FORWARD = ['abcdefghijklmnopqrstuvwxyz', '1234567890', '!@#$%^&*()', ...KEYBOARD, ...ZIGZAG]
/** Each in both directions and doubled, so that a row may go on at its beginning. */
const ROWS = [...FORWARD, ...FORWARD.map(row => [...row].reverse().join(''))].map(row => row + row)

/** Its weight is its length with every run of 4 or more (one character, one row) counted as one character. */
function isTrivial(text: string): boolean {
  if (period(text) < SHORTEST && period(text) * 2 <= text.length) return true
  let weight = 0
  for (let i = 0; i < text.length; weight++) i += runAt(text, i)
  return weight < Math.min(SHORTEST, text.length / 2)
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

let commonList: Promise<{ readonly all: ReadonlySet<string>; readonly top: readonly string[] }> | undefined

function commonPasswords() {
  commonList ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => {
    const all: readonly string[] = dictionary['passwords-common']
    return { all: new Set(all), top: all.slice(0, TOP).filter(word => /^\p{L}{4,}$/u.test(word)) }
  })
  return commonList
}

/** The whole, the unit it repeats, or either before a tail of digits and punctuation that adds little. */
function isCommon(text: string, common: ReadonlySet<string>): boolean {
  return [text, text.slice(0, period(text))].some(whole => {
    const word = whole.replace(/[^\p{L}\p{M}]+$/u, '')
    const littleAdded = whole.length <= 2 * word.length || isTrivial(whole.slice(word.length))
    return common.has(whole) || (word.length >= 4 && common.has(word) && littleAdded)
  })
}
