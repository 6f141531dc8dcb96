/** The freshly proved context: inside the signed-in one, for routes that a session left open must not reach. */
import type { FastifyInstance } from 'fastify'
import { type RecordRefusal, refusalOf } from '../../audit/events.js'
import type { Live } from '../../sessions/sessions.js'
import { contextOf } from './browser.js'
import { Problem } from './problem.js'
import type { Guard } from './service-key.js'
import { signedIn } from './signed-in.js'

/** Seconds for which an authentication is fresh. */
export const stepUpSeconds = 900

/** Judged by the database's clock, of the statement that read the session. The answer is RFC 9470's, section 3. */
export function requireStepUp(app: FastifyInstance, refused: RecordRefusal): void {
  app.addHook('onRequest', stepUpGuard(refused))
}

export function isRecentlyAuthenticated({ principal: { authTime }, now }: Live): boolean {
  return authTime !== undefined && now - authTime <= stepUpSeconds
}

export function stepUpGuard(refused: RecordRefusal): Guard {
  return async request => {
    const { live } = signedIn(request)
    if (isRecentlyAuthenticated(live)) return
    request.log.info({ refused: 'stale-proof' }, 'step-up required')
    await refused(refusalOf(live.principal, 'session.stepped-up', 'stale-proof', contextOf(request)))
    throw new Problem('insufficient_user_authentication', { maxAgeSeconds: stepUpSeconds })
  }
}
