/** The answer of every way in: the cookie of the new session, and whose it is. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Pending, SignedIn } from '../../accounts/create-session.js'
import { clearPendingCookie, readPendingCookie, setPendingCookie, setSessionCookie } from './cookie.js'

/** Sets the cookie and the status; what it returns is the body (`Opened` in schemas.ts). */
export function opened(
  request: FastifyRequest,
  reply: FastifyReply,
  { credential, user, now, endsAt }: SignedIn,
) {
  request.sessionId = credential.id
  if (readPendingCookie(request)) clearPendingCookie(reply)
  setSessionCookie(reply, credential, now, endsAt)
  reply.code(201)
  return { session: { id: credential.id, ends_at: endsAt }, user: { id: user } }
}

/** What a way in answers: the session, or what is still owed for one. */
export function admitted(request: FastifyRequest, reply: FastifyReply, answer: SignedIn | Pending) {
  return 'pending' in answer ? owing(reply, answer) : opened(request, reply, answer)
}

/** The same where a second step follows: its cookie, and what may be proved (`SecondStepNeeded` in shapes/codes.ts). */
function owing(reply: FastifyReply, { pending, next }: Pending) {
  setPendingCookie(reply, pending)
  reply.code(202)
  return { next: [...next] }
}
