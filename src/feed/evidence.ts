/** A message that a verifier sends back, to show what this database does not know: read, and believed if we signed it. */
import { type PublicKey, readCompact, strictObject } from '@mintmark/verifier/readers'
import { type Cursor, parseCursor } from './cursor.js'
import { feedPath, feedType } from './message.js'

/** Characters: fits into a body. A message without entries has 700. */
export const longestMessage = 60_000

export interface Evidence {
  readonly generation: number
  readonly to: Cursor
}

/** Undefined for anything that no key of ours has signed as a message of this feed. */
export async function readEvidence(
  text: string,
  issuer: string,
  keyOf: (kid: string) => Promise<PublicKey | undefined>,
): Promise<Evidence | undefined> {
  const jws = readCompact(text.trim(), feedType, longestMessage)
  if ('code' in jws) return undefined
  const key = await keyOf(jws.kid)
  if (!key || !(await key.verifies(jws.signed, jws.signature))) return undefined
  const { iss, aud, gen, to } = strictObject(jws.payload) ?? {}
  const cursor = typeof to === 'string' ? parseCursor(to) : undefined
  if (iss !== issuer || aud !== `${issuer}${feedPath}` || !Number.isSafeInteger(gen) || !cursor)
    return undefined
  return { generation: gen as number, to: cursor }
}
