/** What the routes of the directory share: ids in paths, pages with opaque cursors, refusals. */
import { Type } from 'typebox'
import { may, mayIn, type PlatformPermission, type TenantPermission } from '../../core/authority.js'
import type { Needs } from '../middleware/admin-context.js'
import { type ErrorCode, Problem } from '../middleware/problem.js'
import {
  operation as describe,
  forSessionsOrKeys,
  Id,
  jsonProblems,
  type Operation,
  Text,
} from '../shapes/schemas.js'

export const Name = Text(100)
/** Words with colons, as `orders:read`. The prefix `mintmark:` is the service's own. */
export const Permission = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]*(:[a-z0-9._-]+)*$', maxLength: 100 })
/** Roles of the tenant in the path. */
export const RoleList = Type.Array(Name, { maxItems: 50, description: 'Roles, each by its id or its name.' })
export const TenantPath = Type.Object({ tenant: Id })

/** Every route of the context may answer these. */
const adminProblems = [
  ...jsonProblems,
  'unauthenticated',
  'invalid_service_key',
  'session_superseded',
  'insufficient_user_authentication',
  'forbidden',
  'too_many_requests',
  'busy',
] as const satisfies readonly ErrorCode[]

/** What a caller must hold over all tenants, or in the one of the path. */
export const over =
  (permission: PlatformPermission): Needs =>
  caller =>
    may(caller, permission)
export const within =
  (permission: TenantPermission): Needs =>
  (caller, { tenant }) =>
    mayIn(caller, tenant, permission)

/** A route of the admin API: what its caller must hold, and what it refuses beside what all of them do. */
export function operation<const Told extends Operation>(needs: Needs, operationId: string, told: Told) {
  const refuses = [...adminProblems, ...(told.refuses ?? [])]
  const { config, schema } = describe('admin', forSessionsOrKeys, operationId, { ...told, refuses })
  return {
    config: { ...config, needs },
    schema,
  }
}

/** Turns the words in which operations refuse into problems; anything else is the answer. */
export function accepted<T>(answer: T): Exclude<T, Refusal | Refused> {
  if (typeof answer === 'object' && answer !== null) {
    if ('faults' in answer) throw invalid((answer as { faults: readonly string[] }).faults.join('\n'))
    if ('unreachable' in answer) throw invalid(`The provider cannot be used: ${answer.unreachable}.`)
    if ('originTaken' in answer)
      throw new Problem('name_taken', { detail: `${answer.originTaken} belongs to another application.` })
  }
  const code = typeof answer === 'string' ? codes.get(answer) : undefined
  if (code !== undefined) throw new Problem(code)
  return answer as Exclude<T, Refusal | Refused>
}

/** What is asked for by its id. */
export function found<T>(answer: T | undefined): T {
  if (answer === undefined) throw new Problem('not_found')
  return answer
}

const invalid = (detail: string) => new Problem('invalid_request', { detail })

type Refused =
  | { readonly faults: readonly string[] }
  | { readonly unreachable: string }
  | { readonly originTaken: string }
const refusals = {
  unknown: 'not_found',
  forbidden: 'forbidden',
  'unknown-role': 'unknown_role',
  'last-owner': 'last_owner',
  'last-administrator': 'last_administrator',
  'name-taken': 'name_taken',
  'address-taken': 'name_taken',
  'client-id-taken': 'name_taken',
  'repeated-differently': 'idempotency_conflict',
  'id-taken': 'name_taken',
  'issuer-taken': 'name_taken',
  'too-large': 'role_too_large',
} as const satisfies Record<string, ErrorCode>
type Refusal = keyof typeof refusals
const codes = new Map<string, ErrorCode>(Object.entries(refusals))
