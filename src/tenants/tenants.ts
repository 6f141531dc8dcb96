/** Tenants, their roles, and who is a member of them with which roles. */
import type { Actor } from '../audit/events.js'
import type { Page, PageRequest } from '../core/page.js'
import type { TenantId, UserId } from '../core/principal.js'

export interface Role {
  /** Never used again for another role. The built-in ones are `owner`, `admin` and `member`. */
  readonly id: string
  readonly name: string
  readonly permissions: readonly string[]
}

export interface Tenant {
  readonly id: TenantId
  readonly name: string
  readonly state: 'active' | 'suspended'
  readonly roles: readonly Role[]
  /** NumericDate. */
  readonly createdAt: number
}

export interface Membership {
  readonly user: UserId
  readonly email: string
  readonly name: string | null
  readonly tenant: TenantId
  readonly state: 'active' | 'suspended'
  readonly roleIds: readonly string[]
  readonly createdAt: number
}

export interface Place {
  readonly tenant: TenantId
  readonly name: string
}

/**
 * Rules (test/conformance/tenant-store.ts): every change is one transaction with its audit row, and is in every check
 * and mint that begins after it returned. It is judged by what its caller holds in that transaction (`by.authorized`).
 * - Only who may write to every tenant suspends one, ends that, or changes a built-in role.
 * - A role's permissions are changed, and a role removed, only by who may grant what it held and what it will.
 * - A removed role leaves its members; its id is never given again.
 * - All roles of a tenant together fit into a token (`longestRoles`); a change that leaves less than before always may.
 */
export interface TenantStore {
  create(name: string, actor: Actor): Promise<Tenant | 'repeated-differently'>
  read(tenant: TenantId): Promise<Tenant | undefined>
  list(page: PageRequest): Promise<Page<Tenant>>
  change(
    tenant: TenantId,
    to: { readonly name?: string | undefined; readonly state?: Tenant['state'] | undefined },
    actor: Actor,
  ): Promise<Tenant | 'unknown' | 'forbidden'>
  remove(tenant: TenantId, actor: Actor): Promise<'removed' | 'unknown'>
  createRole(
    tenant: TenantId,
    role: Omit<Role, 'id'>,
    actor: Actor,
  ): Promise<Role | 'unknown' | 'forbidden' | 'name-taken' | 'too-large' | 'repeated-differently'>
  changeRole(
    tenant: TenantId,
    role: Role,
    actor: Actor,
  ): Promise<Role | 'unknown' | 'forbidden' | 'name-taken' | 'too-large'>
  removeRole(tenant: TenantId, roleId: string, actor: Actor): Promise<'removed' | 'unknown' | 'forbidden'>
}

/**
 * Rules (test/conformance/membership-store.ts): a membership changes in one statement. It is changed, suspended or
 * removed only by who may grant what its roles held before and hold after, in that moment: nobody gives what they do
 * not hold, and nobody takes from those above them. Who may write to every tenant makes members of users who were not
 * invited. The last active owner stays one, or the tenant would be nobody's: only they take it.
 */
export interface MembershipStore {
  /** Where this user may work: active tenants in which they are an active member, by name. */
  placesOf(user: UserId): Promise<readonly Place[]>
  list(tenant: TenantId, page: PageRequest): Promise<Page<Membership>>
  /** The tenants in which this user is a member, of any state. */
  of(user: UserId): Promise<readonly Membership[]>
  /** Its roles by id or by name. */
  put(
    membership: Pick<Membership, 'tenant' | 'user' | 'roleIds' | 'state'>,
    actor: Actor,
  ): Promise<Membership | 'unknown' | 'unknown-role' | 'forbidden' | 'last-owner'>
  remove(
    tenant: TenantId,
    user: UserId,
    actor: Actor,
  ): Promise<'removed' | 'unknown' | 'forbidden' | 'last-owner'>
}

/** Bytes. A token that holds all of it stays under 8 KiB, which common proxies and servers take as one header. */
export const longestRoles = 4096

/** What a token would say of somebody who has all of these roles, in bytes. */
export function bytesInToken(roles: readonly Omit<Role, 'id'>[]): number {
  const names = roles.map(({ name }) => name)
  const permissions = new Set(roles.flatMap(({ permissions }) => permissions))
  return Buffer.byteLength(JSON.stringify([names, [...permissions]]))
}

/** What these roles permit together. An id without a role permits nothing. */
export function permissionsOfRoles(roles: readonly Role[], ids: readonly string[]): Set<string> {
  return new Set(roles.filter(({ id }) => ids.includes(id)).flatMap(({ permissions }) => permissions))
}

/**
 * The ids of roles that are asked for by id or by name, sorted; undefined where the tenant has no such role. What is
 * one role's id and another's name means the id.
 */
export function roleIdsOf(roles: readonly Role[], asked: readonly string[]): string[] | undefined {
  const ids = asked.map(
    text => (roles.find(({ id }) => id === text) ?? roles.find(({ name }) => name === text))?.id,
  )
  return ids.includes(undefined) ? undefined : [...new Set(ids as string[])].sort()
}

/** As JSON shows it. */
export function describeTenant({ id, name, state, roles, createdAt }: Tenant) {
  return { id, name, state, roles: roles.map(describeRole), created_at: createdAt }
}

/** As JSON shows it. */
export function describeRole({ permissions, ...role }: Role) {
  return { ...role, permissions: [...permissions] }
}

/** As JSON shows it. */
export function describeMembership({ user, email, name, tenant, state, roleIds, createdAt }: Membership) {
  return { user: { id: user, email, name }, tenant, state, roles: [...roleIds], created_at: createdAt }
}
