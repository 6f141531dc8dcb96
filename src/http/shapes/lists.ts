/** Lists in pages with opaque cursors. */
import { type Static, type TSchema, Type } from 'typebox'
import type { Page, PageRequest } from '../../core/page.js'
import { Problem } from '../middleware/problem.js'

/** An id of a list of sessions: when one was used last, in microseconds, and its public id. */
export const sessionListForm = /^\d{1,16} [A-Za-z0-9_-]{21}[AQgw]$/

export const PageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]?|100)$',
        description: 'The number of items on a page, 1 to 100. Default: 50.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,200}$',
        description: 'The `next_cursor` of the previous page, unchanged.',
      }),
    ),
  },
  { additionalProperties: false },
)

/** Its name is that of its items: `UserPage` of `User`. */
export function PageOf<T extends TSchema & { readonly title?: unknown }>(item: T) {
  return Type.Object(
    {
      items: Type.Array(item),
      next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'Null on the last page.' }),
    },
    { title: `${item.title}Page`, description: 'One page of the list, in a stable order.' },
  )
}

/** `form` tells an id of this list: a cursor that holds anything else is not one of ours, and would be a fault in Postgres. */
export function pageRequest(
  { limit = '50', cursor }: Static<typeof PageQuery>,
  form: { test(id: string): boolean } = uuidForm,
): PageRequest {
  if (cursor === undefined) return { limit: Number(limit), after: undefined }
  const after = Buffer.from(cursor, 'base64url').toString()
  if (!form.test(after) || Buffer.from(after).toString('base64url') !== cursor)
    throw new Problem('invalid_request', { detail: 'This cursor does not belong to this list.' })
  return { limit: Number(limit), after }
}
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function page<Item, Shown>({ items, next }: Page<Item>, show: (item: Item) => Shown) {
  return {
    items: items.map(show),
    next_cursor: next === undefined ? null : Buffer.from(next).toString('base64url'),
  }
}
