/** What customers and strangers have written, as our mails repeat it: words that no mail program turns into a link. */

/** Code points of a name: longer ones are sentences. */
const longest = 60

/** Letters, marks and digits of every script, blanks, and what stands in names. Not the Lisu tones and the other letters that are dots. */
const foreign = /[^\p{L}\p{M}\p{Nd}\s&'’,().-]|[\ua4f8-\ua4fd\ua78f]/gu

/**
 * A name without addresses: nothing of `https://`, `www.evil.example/x`, `me@evil.example` or a telephone number is left
 * but its words. A dot stays where a sentence could end, as in `Acme Inc.`; what a program would take for another form
 * of a dot, or would not show, is read as that first.
 */
export function plainName(text: string): string {
  const visible = text.normalize('NFKC').replace(/\p{Cf}/gu, '')
  const words = visible.replace(foreign, ' ').replace(/\.(?=\S)/g, ' ')
  const digits = words.match(/\p{Nd}/gu)?.length ?? 0
  const name = (digits < 7 ? words : words.replace(/\p{Nd}/gu, ' ')).replace(/\s+/g, ' ').trim()
  const points = [...name]
  if (points.length > longest) return `${points.slice(0, longest).join('').trim()}…`
  return /[\p{L}\p{Nd}]/u.test(name) ? name : '(no name)'
}

/** A mail address that can be read and not clicked. */
export function plainAddress(canonical: string): string {
  return canonical.replace(/@/g, ' (at) ').replace(/\./g, ' (dot) ').replace(/\//g, ' (slash) ')
}
