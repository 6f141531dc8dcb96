/** What a sign-in knows of the browser it came from. */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { Occasion } from '../audit.js'
import type { Browser } from '../login/finish.js'
import { readSessionCookie } from './cookie.js'

/** `address` is the peer's, or what a trusted proxy says of it. Both are cut to size; they are shown to people. */
export function browserOf(request: FastifyRequest): Browser {
  return {
    device: {
      userAgent: (request.headers['user-agent'] ?? '').slice(0, 256),
      address: addressOf(request),
    },
    credential: readSessionCookie(request),
    occasion: occasionOf(request),
  }
}

export function occasionOf(request: FastifyRequest): Occasion {
  return { requestId: request.id, address: addressOf(request) }
}

/** What a trusted proxy names must be an address; otherwise the proxy's own stands for it. */
export function addressOf({ ip, socket }: FastifyRequest): string {
  return isIP(ip) ? ip : (socket.remoteAddress ?? '')
}
