/** Owns handles, the random 64-bit values that a token rests on (docs/feed.md): their one form, and those of a token. */

/** 8 bytes in base64url, with the unused bits zero. */
const form = /^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$/
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const mostInToken = 16

/** The six bits of each character, by its code. */
export const sextets = new Uint8Array(128)
for (let value = 0; value < alphabet.length; value++) sextets[alphabet.charCodeAt(value)] = value

/** What a token says that it rests on, in its claim `rev`. */
export interface Rev {
  /** Of the issuer's database: one that was recovered has a higher one. */
  readonly generation: number
  readonly handles: readonly string[]
}

export const isHandle = (value: unknown): value is string => typeof value === 'string' && form.test(value)

export const isGeneration = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

/** Where one of them is not known, nothing tells them apart. */
export function isLater(generation: number | undefined, than: number | undefined): boolean {
  return generation !== undefined && than !== undefined && generation > than
}

export function readRev(value: unknown): Rev | undefined {
  if (!Array.isArray(value)) return undefined
  const [generation, ...handles] = value
  const fits = isGeneration(generation) && handles.length >= 1 && handles.length <= mostInToken
  return fits && handles.every(isHandle) ? { generation, handles } : undefined
}

/** The first 8 bytes of what is written in base64url: of a `sid` or a `kid`. */
export function handleOf(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]{11}/.test(text)) return undefined
  const last = sextets[text.charCodeAt(10)] ?? 0
  return text.slice(0, 10) + alphabet[last & 0b111100]
}
