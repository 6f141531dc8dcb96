/** Who calls: a user with a live session, or a service with its key. */
import type { Principal } from './principal.js'
import type { LiveKey } from './service-key.js'

export type Caller = { readonly user: Principal } | { readonly service: LiveKey }

/** Of one caller always the same, and of no two. */
export function callerId(caller: Caller): string {
  return 'user' in caller ? caller.user.user : caller.service.id
}
