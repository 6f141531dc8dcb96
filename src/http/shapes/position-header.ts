/** For the reference: the header of what revokes (`tellPosition` sets it). */
import type { TSchema } from 'typebox'

const positionHeader = {
  'Mintmark-Revocation': {
    type: 'string',
    description:
      'What this request revoked is in the revocation feed up to this position, `<generation>.<position>`. Absent if the feed could not be read in time.',
  },
}

export function withPosition(answers: Readonly<Record<number, TSchema>>): Readonly<Record<number, TSchema>> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, schema]) => [status, { ...schema, headers: positionHeader }]),
  )
}
