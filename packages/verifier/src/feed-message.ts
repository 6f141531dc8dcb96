/** Owns the reading of one message of the feed (docs/feed.md): its signature, and the form of each member. */
import { readCompact } from './compact.js'
import { isGeneration, isHandle } from './handles.js'
import type { PublicKey } from './public-key.js'
import { type JsonObject, strictObject } from './strict-json.js'

export interface Cursor {
  readonly number: number
  /** Told apart, never read. */
  readonly tag: string
}

export interface FeedMessage {
  /** As it came. */
  readonly line: string
  /** Of the key that signed it. */
  readonly kid: string
  readonly generation: number
  readonly asof: number
  readonly from: Cursor
  readonly to: Cursor
  readonly dead: readonly string[]
  readonly more: boolean
  readonly jwks: string
}

export type MessageFault = 'message' | 'unknown_key' | 'signature' | 'clock'

export const longestAnswer = 4_194_304
const mostInMessage = 10_000
/** Seconds. */
const skew = 60
const digest = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
const cursor = /^(0|[1-9]\d{0,15})\.(.*)$/

/** `now` in seconds. */
export async function readMessage(
  line: string,
  issuer: string,
  keyOf: (kid: string) => Promise<PublicKey | undefined>,
  now: number,
): Promise<FeedMessage | MessageFault> {
  const jws = readCompact(line, 'mintmark-feed+jwt', longestAnswer)
  if ('code' in jws) return 'message'
  const key = await keyOf(jws.kid)
  if (!key) return 'unknown_key'
  if (!(await key.verifies(jws.signed, jws.signature))) return 'signature'
  const payload = strictObject(jws.payload)
  const members = payload && readMembers(payload, issuer)
  if (!members) return 'message'
  // Either clock may be the wrong one. An `asof` in the future would keep this verifier fresh for that long.
  return members.asof > now + skew ? 'clock' : { line, kid: jws.kid, ...members }
}

function readMembers(payload: JsonObject, issuer: string): Omit<FeedMessage, 'line' | 'kid'> | undefined {
  const { iss, aud, exp, gen, asof, dead, more, jwks } = payload
  if (iss !== issuer || aud !== `${issuer}/v1/feed` || !isMoment(exp)) return undefined
  const [from, to] = [readCursor(payload.from), readCursor(payload.to)]
  if (!isGeneration(gen) || !isMoment(asof) || !from || !to || to.number < from.number) return undefined
  if (!Array.isArray(dead) || dead.length > mostInMessage || !dead.every(isHandle)) return undefined
  if (typeof more !== 'boolean' || typeof jwks !== 'string' || !digest.test(jwks)) return undefined
  return { generation: gen, asof, from, to, dead, more, jwks }
}

const isMoment = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0

export function readCursor(value: unknown): Cursor | undefined {
  const [, number, tag = ''] = (typeof value === 'string' && cursor.exec(value)) || []
  const read = { number: Number(number), tag }
  // Only the beginning has no tag. Any other has the handle of its entry.
  const fits = read.number === 0 ? tag === '' : isHandle(tag)
  return Number.isSafeInteger(read.number) && fits ? read : undefined
}

export const writeCursor = ({ number, tag }: Cursor): string => `${number}.${tag}`
