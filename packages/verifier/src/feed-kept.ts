/** Owns the feed's part of what is kept between two starts. It says what was dead, and never that it is fresh. */
import { kidForm } from './compact.js'
import type { KeptHandles } from './dead-handles.js'
import { readCursor } from './feed-message.js'
import { isGeneration, isHandle } from './handles.js'
import type { Kill } from './killed-keys.js'
import { isObject } from './strict-json.js'

export interface KeptFeed extends KeptHandles {
  readonly generation: number
  readonly cursor: string
  readonly asof: number
  readonly killed: readonly Kill[]
  /** The last one that was accepted. */
  readonly message: string
}

export function readKeptFeed(written: unknown): KeptFeed | undefined {
  if (!isObject(written)) return undefined
  const { generation, cursor, asof, shiftedAt, sets, killed, message } = written
  const fits =
    isGeneration(generation) &&
    readCursor(cursor) &&
    Number.isFinite(asof) &&
    Number.isFinite(shiftedAt) &&
    Array.isArray(sets) &&
    sets.length === 3 &&
    sets.every(isSet) &&
    Array.isArray(killed) &&
    killed.every(isKill) &&
    typeof message === 'string'
  return fits ? (written as unknown as KeptFeed) : undefined
}

function isSet(text: unknown): boolean {
  if (typeof text !== 'string') return false
  for (let at = 0; at < text.length; at += 11) if (!isHandle(text.slice(at, at + 11))) return false
  return true
}

function isKill(value: unknown): boolean {
  if (!isObject(value) || !isObject(value.at)) return false
  const { kid, by, at } = value
  const isKid = (one: unknown) => typeof one === 'string' && kidForm.test(one)
  return isKid(kid) && isKid(by) && isGeneration(at.generation) && isGeneration(at.number)
}
