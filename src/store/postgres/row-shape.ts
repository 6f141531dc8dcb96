/** The shapes of answers: each column of the type that its statement gives it. */
import type { ClusterIdentityRow } from './cluster-identity.js'

/** What every answer says of itself. */
export interface Answer extends Omit<ClusterIdentityRow, 'system_trusted'> {
  asked: string
}

export type Is = (value: unknown) => boolean

export const isNull: Is = value => value === null
export const isText: Is = value => typeof value === 'string'
export const isNumber: Is = value => typeof value === 'number' && Number.isFinite(value)
export const isBoolean: Is = value => typeof value === 'boolean'
export const isHash: Is = value => Buffer.isBuffer(value) && value.length === 32
export const isTexts: Is = value => Array.isArray(value) && value.every(isText)
export const isObject: Is = value => typeof value === 'object' && value !== null && !Array.isArray(value)
export const or =
  (...some: Is[]): Is =>
  value =>
    some.some(is => is(value))

export type Shape<Row> = Partial<Record<keyof Row, Is>>

/** Every check and every mint does this: it allocates nothing. */
export function fits<Row extends object>(row: Row, shape: Shape<Row>): boolean {
  for (const column in shape) if (!shape[column]?.(row[column])) return false
  return true
}

/** What was joined is there as a whole, or not at all. */
export function joined<Row extends object>(row: Row, there: boolean, shape: Shape<Row>): boolean {
  if (there) return fits(row, shape)
  for (const column in shape) if (!isNull(row[column])) return false
  return true
}

export const itself: Shape<Answer> = {
  server: isNumber,
  in_recovery: isBoolean,
  timeline_trusted: or(isBoolean, isNull),
  generation: isNumber,
  timeline: isText,
  position: isNumber,
}
