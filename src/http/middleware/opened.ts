/** The answer of every way in: the cookie of the new session, and whose it is. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SignedIn } from '../../accounts/create-session.js'
import { setSessionCookie } from './cookie.js'

/** Sets the cookie and the status; what it returns is the body (`Opened` in schemas.ts). */
export function opened(
  request: FastifyRequest,
  reply: FastifyReply,
  { credential, user, now, endsAt }: SignedIn,
) {
  request.sessionId = credential.id
  setSessionCookie(reply, credential, now, endsAt)
  reply.code(201)
  return { session: { id: credential.id, ends_at: endsAt }, user: { id: user } }
}
