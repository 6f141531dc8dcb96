/** Tells what we wrote ourselves from what others put there: HMAC-SHA256 under a key derived for the purpose. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { keyFor } from './seal.js'

/** 32 bytes in base64url, then the id of the key-encryption key. */
const form = /^([A-Za-z0-9_-]{43})\.(.+)$/s

/** Derived once for each key-encryption key that is here: deriving costs more than the MAC. */
const derived = new WeakMap<Buffer, Map<string, Buffer>>()

export function makeMac(kek: Buffer, kekId: string, purpose: string, text: string): string {
  return `${compute(kek, purpose, text).toString('base64url')}.${kekId}`
}

/** The id of the key that it was made under; undefined: it does not have our form. */
export function kekOf(mac: string): string | undefined {
  return form.exec(mac)?.[2]
}

/** `find` gives the key-encryption key of an id. */
export function isOurs(
  find: (kekId: string) => Buffer | undefined,
  purpose: string,
  text: string,
  mac: string,
): boolean {
  const [, value, kekId] = form.exec(mac) ?? []
  const kek = kekId === undefined ? undefined : find(kekId)
  if (!kek || value === undefined) return false
  return timingSafeEqual(compute(kek, purpose, text), Buffer.from(value, 'base64url'))
}

function compute(kek: Buffer, purpose: string, text: string): Buffer {
  const keys = derived.get(kek) ?? new Map<string, Buffer>()
  derived.set(kek, keys)
  const key = keys.get(purpose) ?? keyFor(kek, purpose)
  keys.set(purpose, key)
  return createHmac('sha256', key).update(text).digest()
}
