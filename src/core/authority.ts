/** Authority: what a caller may do to the directory, as a pure function of the roles and scopes of this moment. */
import type { ServiceKeyId, SessionId, TenantId, UserId } from './principal.js'

/** Over all tenants: held by platform roles and by service keys without a tenant. */
export const platformPermissions = [
  'users:read',
  'users:write',
  'sessions:write',
  'tenants:read',
  'tenants:write',
  'applications:read',
  'applications:write',
  'service-keys:read',
  'service-keys:write',
  'providers:read',
  'providers:write',
  'keys:read',
  'keys:write',
  'audit:read',
  /** Asking about tokens. Only service keys do; users hold it so that they can give it to one. */
  'introspect',
  /** Following the revocation feed. Only service keys do. */
  'feed',
] as const
export type PlatformPermission = (typeof platformPermissions)[number]

export const platformRoles = {
  administrator: platformPermissions,
  auditor: platformPermissions.filter(permission => permission.endsWith(':read')),
} as const satisfies Record<string, readonly PlatformPermission[]>
export type PlatformRole = keyof typeof platformRoles

/** In one tenant: permissions of its roles like any other, with a prefix that applications leave to us. */
export const tenantPermissions = [
  'mintmark:tenant:write',
  'mintmark:roles:write',
  'mintmark:members:read',
  'mintmark:members:write',
  'mintmark:audit:read',
] as const
export type TenantPermission = (typeof tenantPermissions)[number]

/** What a platform permission includes in every tenant; in one tenant, what a key that is bound to it holds there. */
export const includedInTenants: Readonly<Partial<Record<PlatformPermission, readonly TenantPermission[]>>> = {
  'tenants:read': ['mintmark:members:read'],
  'tenants:write': ['mintmark:tenant:write', 'mintmark:roles:write', 'mintmark:members:write'],
  'audit:read': ['mintmark:audit:read'],
}

/** Every tenant has these roles, under these ids. Only a platform administrator changes what they hold. */
export const builtInRoles = {
  owner: { name: 'owner', permissions: [...tenantPermissions] },
  admin: {
    name: 'admin',
    permissions: ['mintmark:members:read', 'mintmark:members:write', 'mintmark:audit:read'],
  },
  member: { name: 'member', permissions: [] as string[] },
} as const

/** What a caller holds now. */
export interface Authority {
  /** Whose tokens may be introspected, and this given on: a service key's own, or any. */
  readonly audiences: readonly string[] | 'any'
  readonly platform: ReadonlySet<PlatformPermission>
  /** The permissions held in each tenant of which the caller is an active member, or to which its key is bound. */
  readonly tenants: ReadonlyMap<TenantId, ReadonlySet<string>>
}

/** Anybody who can run an operator's command may everything. */
export const operatorAuthority: Authority = {
  audiences: 'any',
  platform: new Set(platformPermissions),
  tenants: new Map(),
}

/**
 * By what a request was let in. The body may arrive long after the head, so the change that it asks for reads the
 * caller's authority again, in its own transaction, and is made by that one or not at all.
 */
export interface Authorized {
  readonly caller:
    | {
        readonly person: UserId
        readonly session: SessionId
        /** Throws what the request is answered with, unless the session that it proved is still live. */
        confirm(): Promise<void>
      }
    | { readonly serviceKey: ServiceKeyId }
  /** The tenant that the request is about. */
  readonly tenant?: TenantId
  /** Throws what the request is answered with, unless this is enough. Undefined: the service key works no more. */
  judge(held: Authority | undefined): Promise<Authority>
}

export interface AuthorityStore {
  /** What this user holds at this moment: one fresh statement on the primary. Disabled users hold nothing. */
  ofUser(user: UserId): Promise<Authority>
}

export function may({ platform }: Authority, permission: PlatformPermission): boolean {
  return platform.has(permission)
}

export function mayAll(authority: Authority, permissions: Iterable<PlatformPermission>): boolean {
  return [...permissions].every(permission => may(authority, permission))
}

/** A platform permission over tenants includes what tenants' own administrators may do. */
export function mayIn(authority: Authority, tenant: TenantId, permission: TenantPermission): boolean {
  if (authority.tenants.get(tenant)?.has(permission)) return true
  return [...authority.platform].some(held => includedInTenants[held]?.includes(permission))
}

/** Nobody gives what they do not hold; who may write to every tenant may give everything there. */
export function mayGrant(authority: Authority, tenant: TenantId, permissions: Iterable<string>): boolean {
  if (may(authority, 'tenants:write')) return true
  const held = authority.tenants.get(tenant)
  return [...permissions].every(permission => held?.has(permission))
}

export function permissionsOf(roles: readonly PlatformRole[]): Set<PlatformPermission> {
  return new Set(roles.flatMap(role => platformRoles[role]))
}
