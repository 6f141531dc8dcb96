/** Reads what commands are given: tenants and roles as operators name them, names, lists and numbers. */

import type { Operator } from '../boot/operator.js'
import { type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import { CommandFailed } from '../core/errors.js'
import type { TenantId } from '../core/principal.js'
import type { Role, Tenant } from '../tenants/tenants.js'
import { answered, isUuid } from './context.js'

export const who = 'email address or user id'
export const limited = ['--limit <n>', 'show at most this many', limit] as const

export const noTenant = (text: string) => ({
  unknown: `there is no tenant ${text}: run \`mintmark tenants list\` to see all`,
})

export async function tenantOf({ tenants }: Operator, text: string): Promise<Tenant> {
  return answered(await tenants.read(tenantId(text)), noTenant(text))
}

export function tenantId(text: string): TenantId {
  if (isUuid(text)) return text as TenantId
  throw new CommandFailed(`${text} is not a tenant id: run \`mintmark tenants list\` to see all`)
}

/** A role by id or name. Anybody who means one of two must not get the other: then neither is taken. */
export function roleOf({ id: tenant, roles }: Tenant, text: string): Role {
  const [role, other] = roles.filter(({ id, name }) => id === text || name === text)
  if (!role)
    throw new CommandFailed(
      `the tenant ${tenant} has no role ${text}: run \`mintmark tenants show ${tenant}\` to see all`,
    )
  if (other)
    throw new CommandFailed(
      `${text} is the id of one role and the name of another: use the name of the first or the id of the second`,
    )
  return role
}

export function roleNames({ roles }: Tenant, ids: readonly string[]): string[] {
  return roles.filter(({ id }) => ids.includes(id)).map(({ name }) => name)
}

export function mailable(email: string): EmailAddress {
  const parsed = parseEmailAddress(email)
  if (parsed.ok) return parsed.address
  throw new CommandFailed(
    `${email} is not a valid email address (${parsed.reason}): write it like ada@example.com`,
  )
}

export function printable(text: string): string {
  if (/^[^\p{Cc}\p{Cs}]{1,100}$/u.test(text)) return text
  throw new CommandFailed('the name must be 1 to 100 printable characters')
}

export function permissions(list: readonly string[]): readonly string[] {
  for (const permission of list) {
    if (permission.length <= 100 && /^[a-z0-9][a-z0-9._-]*(:[a-z0-9._-]+)*$/.test(permission)) continue
    throw new CommandFailed(
      `${JSON.stringify(permission)} is not a permission: write words of a-z, 0-9, ".", "_" and "-" separated by colons, like orders:read`,
    )
  }
  return list
}

export interface ListOption<Item = string> {
  /** Of `--<option>`, and whether its `--no-…` was left out. */
  readonly given: readonly Item[] | undefined
  readonly keep: boolean
  readonly option: string
  readonly most: number
}

/** A list that replaces the one before, or `--no-…` for an empty one; undefined where neither was given. */
export function replacement<Item extends string>({
  given,
  keep,
  option,
  most,
}: ListOption<Item>): readonly Item[] | undefined {
  if (!keep && given !== undefined)
    throw new CommandFailed(`give either --${option} or --no-${plural(option)}, not both`)
  if (!keep) return []
  const distinct = given && [...new Set(given)]
  if (distinct && distinct.length > most) throw new CommandFailed(`give --${option} at most ${most} values`)
  return distinct
}

/** A list that has no default: what is left out by mistake must not take something away. */
export function wholeList(list: ListOption): readonly string[] {
  const whole = replacement(list)
  if (whole) return whole
  throw new CommandFailed(
    `give the complete list (--${list.option}), or --no-${plural(list.option)} to empty it`,
  )
}

const plural = (option: string) => option + (option.endsWith('s') ? 'es' : 's')

function limit(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text)
  throw new CommandFailed('--limit must be a whole number of at least 1')
}
