/** Handles: what a token rests on, as 64 random bits each. Replacing the value in its row ends the tokens that carry it. */
import { createHash } from 'node:crypto'

declare const brand: unique symbol
/** 8 bytes, base64url: 11 characters. An item of the claim `rev`, and of the revocation feed. */
export type Handle = string & { readonly [brand]: 'Handle' }

/** The last character has 4 bits that count, so that a handle has one spelling. */
export const handleForm = /^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$/

const length = 8

/** Of its first 8 bytes. */
export function handleOf(bytes: Buffer): Handle {
  return bytes.subarray(0, length).toString('base64url') as Handle
}

/** Of a session's id or a key's: the first 8 bytes of a text in base64url. */
export function handleOfId(id: string): Handle {
  return handleOf(Buffer.from(id.slice(0, 12), 'base64url'))
}

/** What tokens of a session in Redis carry as well (drizzle/0018_revocation_feed.sql has the same). */
export function handleOfSecret(secretHash: Buffer): Handle {
  return handleOf(createHash('sha256').update('mintmark-feed').update(secretHash).digest())
}

/** As Postgres sends them, one behind the other. Every mint does this: all are written at once. */
export function handlesIn(bytes: Buffer): Handle[] {
  // With a zero behind it a handle has 9 bytes, which are 12 characters; the last one tells of the zero alone.
  const padded = Buffer.alloc((bytes.length / length) * 9)
  for (let from = 0, to = 0; from < bytes.length; from += length, to += 9)
    bytes.copy(padded, to, from, from + length)
  const text = padded.toString('base64url')
  const handles: Handle[] = []
  for (let at = 0; at < text.length; at += 12) handles.push(text.slice(at, at + 11) as Handle)
  return handles
}
