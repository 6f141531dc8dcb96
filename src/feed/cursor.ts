/** Cursors of the feed: a position, and the handle that was given it as a tag. The beginning is `0.`. */
import { type Handle, handleForm } from '../core/handle.js'

export interface Cursor {
  readonly position: number
  /** Undefined at the beginning. */
  readonly tag: Handle | undefined
}

export const beginning: Cursor = { position: 0, tag: undefined }

/** A text that is no cursor is undefined; positions have one spelling. */
export function parseCursor(text: string): Cursor | undefined {
  if (text === '0.') return beginning
  const [, digits, tag = ''] = /^([1-9][0-9]{0,14})\.(.*)$/.exec(text) ?? []
  return digits !== undefined && handleForm.test(tag)
    ? { position: Number(digits), tag: tag as Handle }
    : undefined
}

export function writeCursor({ position, tag = '' as Handle }: Cursor): string {
  return `${position}.${tag}`
}
