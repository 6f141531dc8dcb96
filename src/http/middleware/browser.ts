/** What a sign-in knows of the browser it came from. */
import type { FastifyRequest } from 'fastify'
import type { Browser } from '../../accounts/create-session.js'
import type { RequestContext } from '../../audit/events.js'
import { readSessionCookie } from './cookie.js'

/** The user agent is cut to size: it is shown to users. */
export function browserOf(request: FastifyRequest): Browser {
  return {
    device: {
      userAgent: (request.headers['user-agent'] ?? '').slice(0, 256),
      address: addressOf(request),
    },
    credential: readSessionCookie(request),
    context: contextOf(request),
  }
}

export function contextOf(request: FastifyRequest): RequestContext {
  return { requestId: request.id, address: addressOf(request) }
}

export function addressOf({ clientAddress }: FastifyRequest): string {
  return clientAddress
}
