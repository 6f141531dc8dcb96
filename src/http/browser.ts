/** What a sign-in knows of the browser it came from. */
import type { FastifyRequest } from 'fastify'
import type { Browser } from '../login/finish.js'
import { readSessionCookie } from './cookie.js'

/** `address` is the peer's, or what a trusted proxy says of it. Both are cut to size; they are shown to people. */
export function browserOf(request: FastifyRequest): Browser {
  return {
    device: {
      userAgent: (request.headers['user-agent'] ?? '').slice(0, 256),
      address: request.ip.slice(0, 64),
    },
    credential: readSessionCookie(request),
  }
}
