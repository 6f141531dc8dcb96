/** Owns the reading of JSON that a stranger wrote: one object, each member once, well-formed text, bounded depth. */

export type JsonObject = Readonly<Record<string, unknown>>

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const deepest = 8

/** Undefined for anything else than a strict object in strict UTF-8. */
export function strictObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    return isObject(value) && membersOf(value) === colonsIn(text) && isWellFormed(text, value)
      ? value
      : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * JSON.parse keeps the last of two members of one name; another reader keeps the first, and they disagree. So the
 * members that it kept are counted, and NaN, which equals no count, stands for what is refused outright.
 */
function membersOf(value: unknown, depth = 1): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > deepest) return Number.NaN
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += membersOf(item, depth + 1)
    return members
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return Number.NaN
    members += 1 + membersOf((value as JsonObject)[name], depth + 1)
  }
  return members
}

/** In valid JSON each member has one colon outside of its texts. */
function colonsIn(text: string): number {
  let colons = 0
  let within = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) within = !within
    else if (code === 0x5c) at++
    else if (code === 0x3a && !within) colons++
  }
  return colons
}

/** Half of a surrogate pair can come in as an escape alone: the bytes were checked. */
function isWellFormed(text: string, value: JsonObject): boolean {
  // JSON.stringify writes a lone half as an escape, and a whole pair as itself.
  return !text.includes('\\u') || !/\\ud[89a-f]/.test(JSON.stringify(value))
}
