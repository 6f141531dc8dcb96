/** What the routes of the directory share: ids in paths, pages with opaque cursors, refusals. */
import { type Static, type TSchema, Type } from 'typebox'
import { type ErrorCode, Problem } from '../../core/errors.js'
import type { Page, PageRequest } from '../../core/page.js'
import { forSessionsOrKeys, Id, jsonProblems, Text } from '../api/schemas.js'

export const Name = Text(100)
/** Words with colons, as `orders:read`. The prefix `mintmark:` is the service's own. */
export const Permission = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*(:[a-z0-9._-]+)*$', maxLength: 100 })
export const TenantPath = Type.Object({ tenant: Id })

export const PageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9][0-9]?|100)$',
        description: 'Items on a page, 1 to 100; 50 by default.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,200}$',
        description: 'The `next_cursor` of the page before, as it is.',
      }),
    ),
  },
  { additionalProperties: false },
)

export function PageOf<T extends TSchema>(item: T) {
  return Type.Object(
    {
      items: Type.Array(item),
      next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'Null on the last page.' }),
    },
    { description: 'A page, in an order that does not change.' },
  )
}

/** `form` is what an id of this list looks like: a cursor that holds anything else is none of ours. */
export function pageRequest(
  { limit = '50', cursor }: Static<typeof PageQuery>,
  form = uuidForm,
): PageRequest {
  if (cursor === undefined) return { limit: Number(limit), after: undefined }
  const after = Buffer.from(cursor, 'base64url').toString()
  if (!form.test(after) || Buffer.from(after).toString('base64url') !== cursor)
    throw new Problem('invalid_request', { detail: 'This cursor is none of this list.' })
  return { limit: Number(limit), after }
}
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function page<Item, Shown>({ items, next }: Page<Item>, show: (item: Item) => Shown) {
  return {
    items: items.map(show),
    next_cursor: next === undefined ? null : Buffer.from(next).toString('base64url'),
  }
}

/** Every route of the context may answer these. */
export const adminProblems = [
  ...jsonProblems,
  'unauthenticated',
  'invalid_service_key',
  'session_superseded',
  'insufficient_user_authentication',
  'forbidden',
  'too_many_requests',
  'busy',
] as const satisfies readonly ErrorCode[]

export const forAdmins = { tags: ['admin'], ...forSessionsOrKeys }

/** Turns the words in which stores refuse into problems; anything else is the answer. */
export function accepted<T>(answer: T): Exclude<T, Refusal> {
  const code = typeof answer === 'string' ? codes.get(answer) : undefined
  if (code === undefined) return answer as Exclude<T, Refusal>
  throw new Problem(code)
}

const refusals = {
  unknown: 'not_found',
  forbidden: 'forbidden',
  'unknown-role': 'unknown_role',
  'last-owner': 'last_owner',
  'name-taken': 'name_taken',
  'address-taken': 'name_taken',
  'client-id-taken': 'name_taken',
  'repeated-differently': 'idempotency_conflict',
  'too-large': 'role_too_large',
} as const satisfies Record<string, ErrorCode>
type Refusal = keyof typeof refusals
const codes = new Map<string, ErrorCode>(Object.entries(refusals))
