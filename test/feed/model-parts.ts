/** What the parts of the model speak of: planted mistakes, rows, entries, tokens and messages. */

/** By which a token is compared in place of handles, and one mistake each. `none`: what is shipped. */
export const plants = [
  ...['iat s < event', 'iat s <= event', 'iat ms < now()', 'iat ms < insert', 'iat ms < commit'],
  ...['identity number', 'xid >= xmin', 'position < head'],
  ...['handle by a second statement', 'value read before the lock', 'counters'],
  ...['reader id > last', 'gap accepted', 'asof after the read', 'kick joins tick'],
  ...['half a lifetime', 'evicted by the cause', 'evicted by own clock', 'age by arrival'],
  ...['older generation', 'no reset', 'judges the unheard'],
] as const
export type Plant = 'none' | (typeof plants)[number]

export const lifetime = 4_000
export const windowMs = lifetime * 1.1
export interface Row {
  readonly name: string
  /** The one of now, which never comes twice, and what tokens carry of it. */
  truth: number
  handle: string
  counter: number
  locked: boolean
  readonly waiting: (() => void)[]
}

export interface Entry {
  readonly row: string
  readonly handle: string
  readonly id: number
  readonly xid: number
  readonly now: number
  readonly insertedAt: number
  committedAt: number
  position: number
}

export interface Token {
  readonly rows: readonly string[]
  readonly truths: readonly number[]
  readonly handles: readonly string[]
  readonly generation: number
  readonly startedAt: number
  readonly iat: number
  readonly exp: number
  readonly mostId: number
  readonly head: number
  readonly xmin: number
}

export interface Cursor {
  readonly number: number
  readonly tag: string
  readonly generation?: number
}

export interface Message {
  readonly generation: number
  readonly asof: number
  readonly from: Cursor
  readonly to: Cursor
  readonly dead: readonly Entry[]
  readonly more: boolean
}
