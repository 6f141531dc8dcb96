/** The directory in JSON: what the admin API answers, and what commands say with `--json`. */

import type { User } from '../../accounts/users.js'
import type { RecordedEvent } from '../../audit/events.js'
import { exposure } from '../../keys/operations.js'
import { stateOf } from '../../keys/schedule.js'
import type { Key, Policy, Ring } from '../../keys/store.js'
import { deviceName } from '../../sessions/device-name.js'
import type { ListedSession } from '../../sessions/revocations.js'
import type { Application } from '../../tenants/applications.js'
import type { ServiceKey } from '../../tenants/service-keys.js'
import type { Membership, Role, Tenant } from '../../tenants/tenants.js'

export function describeUser({ id, email, name, state, platformRoles, createdAt }: User) {
  return { id, email, name, state, platform_roles: [...platformRoles], created_at: createdAt }
}

export function describeTenant({ id, name, state, roles, createdAt }: Tenant) {
  return { id, name, state, roles: roles.map(describeRole), created_at: createdAt }
}

export function describeRole({ permissions, ...role }: Role) {
  return { ...role, permissions: [...permissions] }
}

export function describeServiceKey({
  scopes,
  audiences,
  createdAt,
  expiresAt,
  revokedAt,
  lastUsedAt,
  ...key
}: ServiceKey) {
  return {
    ...key,
    scopes: [...scopes],
    audiences: [...audiences],
    created_at: createdAt,
    expires_at: expiresAt,
    revoked_at: revokedAt,
    last_used_at: lastUsedAt,
  }
}

export function describeMembership({ user, email, name, tenant, state, roleIds, createdAt }: Membership) {
  return { user: { id: user, email, name }, tenant, state, roles: [...roleIds], created_at: createdAt }
}

export function describeApplication({ clientId, tokenLifetimeSeconds, createdAt, ...rest }: Application) {
  const { name, state, origins, returnAddresses, audiences, grants } = rest
  return {
    client_id: clientId,
    name,
    state,
    origins: [...origins],
    return_addresses: [...returnAddresses],
    audiences: [...audiences],
    token_lifetime_seconds: tokenLifetimeSeconds,
    grants: [...grants],
    created_at: createdAt,
  }
}

export function describeSession({ id, userAgent, address, createdAt, lastSeenAt, endsAt }: ListedSession) {
  return {
    id,
    device: deviceName(userAgent) ?? null,
    user_agent: userAgent,
    address,
    created_at: createdAt,
    last_seen_at: lastSeenAt,
    ends_at: endsAt,
  }
}

export function describeEvent({ serviceKey, requestId, ...event }: RecordedEvent) {
  return { ...event, service_key: serviceKey, request_id: requestId }
}

export function describeKey(ring: Ring, key: Key) {
  const { kid, publishedAt, signsFrom, signsUntil, unpublishedAt, compromised, kekId } = key
  return {
    kid,
    state: stateOf(ring, key),
    published_at: publishedAt,
    signs_from: signsFrom,
    signs_until: signsUntil,
    unpublished_at: unpublishedAt,
    compromised_at: compromised?.at ?? null,
    compromised_since: compromised?.since ?? null,
    sealed_under: kekId,
  }
}

/** Numbers as they are for programs; seconds from the change. */
export function describeExposure(policy: Policy) {
  const { introspection, jwks, refreshingVerifiers, verifiersInOutage, everything } = exposure(policy)
  return {
    introspection,
    jwks,
    refreshing_verifiers: refreshingVerifiers,
    verifiers_in_outage: verifiersInOutage,
    everything,
  }
}
