/** The signed-in context: every route registered in it has a live session before its body is parsed. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Actor, RecordRefusal } from '../../audit/events.js'
import type { Authority } from '../../core/authority.js'
import type { Credential } from '../../sessions/credential.js'
import type { Gone, Live, Sessions } from '../../sessions/sessions.js'
import { contextOf } from './browser.js'
import { readSessionCookie } from './cookie.js'
import type { Metrics } from './metrics.js'
import { Problem } from './problem.js'

export interface SignedIn {
  readonly live: Live
  readonly credential: Credential
}

declare module 'fastify' {
  interface FastifyRequest {
    signedIn: SignedIn | undefined
    /** Asks once more; throws what a request without a live session is answered with. */
    confirmSession: (() => Promise<void>) | undefined
  }
}

/** What is kept of refusals, and what those must wait for that may be the answer to a change. */
export interface Watch {
  readonly metrics: Metrics
  readonly refused: RecordRefusal
  readonly settled: Settled
}

/** Resolves once nothing that was read before can be taken back by a fail-over to a synchronous standby. */
export type Settled = () => Promise<void>

/**
 * Whether the credential was proved, and a change has ended it: perhaps this very request, sent once before, whose
 * answer was lost. Nothing is waited for where anybody could have made the credential up, or time alone has ended it.
 */
const endedByChange: Readonly<Record<Gone, boolean>> = {
  unknown: false,
  forged: false,
  superseded: true,
  replayed: true,
  revoked: true,
  disabled: true,
  absolute: false,
  idle: false,
}

export function mayChange({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

export function requireSession(app: FastifyInstance, sessions: Sessions, watch: Watch): void {
  app.addHook('onRequest', sessionGuard(sessions, watch))
}

export type SessionGuard = (request: FastifyRequest) => Promise<void>

export function sessionGuard(sessions: Sessions, watch: Watch): SessionGuard {
  return guardBy(sessions, watch, watch.settled, sessionConfirmation(sessions, watch))
}

/** For a change, of which the session was asked about before. Nothing is waited for: what it refuses is not made. */
export function sessionConfirmation(sessions: Sessions, watch: Watch): SessionGuard {
  const confirm: SessionGuard = guardBy(
    sessions,
    watch,
    async () => {},
    request => confirm(request),
  )
  return confirm
}

function guardBy(sessions: Sessions, watch: Watch, settled: Settled, confirm: SessionGuard): SessionGuard {
  return async request => {
    const credential = presentedCredential(request)
    const resumed = await sessions.resume(credential)
    if ('gone' in resumed) {
      if (mayChange(request) && endedByChange[resumed.gone]) await settled()
      throw await refusal(request, credential, resumed.gone, watch)
    }
    recordSession(request, { live: resumed.live, credential }, confirm)
  }
}

/** From here on the request is this session's: in its log line, as use of it, and for what it changes. */
export function recordSession(request: FastifyRequest, signedIn: SignedIn, confirm?: SessionGuard): void {
  request.sessionId = signedIn.credential.id
  request.signedIn = signedIn
  request.confirmSession = confirm && (() => confirm(request))
}

/** Who is signed in with this browser, where nobody needs to be. */
export async function visitorOf(request: FastifyRequest, sessions: Sessions): Promise<SignedIn | undefined> {
  const credential = readSessionCookie(request)
  const resumed = credential && (await sessions.resume(credential))
  return credential && resumed && 'live' in resumed ? { live: resumed.live, credential } : undefined
}

/** The live session of a request in the signed-in context. */
export function signedIn(request: FastifyRequest): SignedIn {
  if (!request.signedIn) throw new Error('this route is not registered in the signed-in context')
  return request.signedIn
}

export const principalOf = (request: FastifyRequest) => signedIn(request).live.principal
export const userOf = (request: FastifyRequest) => principalOf(request).user

/** As whom a signed-in user changes something: only while that session is live, also in the moment of the change. */
export function bySession(request: FastifyRequest): Actor {
  const user = userOf(request)
  const judge = async (held: Authority | undefined) => held as Authority
  return { user, context: contextOf(request), authorized: { caller: sessionCaller(request), judge } }
}

/** The user of the session before it, as a change confirms them. */
export function sessionCaller(request: FastifyRequest) {
  const { user: person, session } = signedIn(request).live.principal
  const { confirmSession: confirm } = request
  if (!confirm) throw new Error('this route is not registered in the signed-in context')
  return { person, session, confirm }
}

/** For routes that ask the primary in a statement of their own. */
export function presentedCredential(request: FastifyRequest): Credential {
  const credential = readSessionCookie(request)
  if (!credential) throw new Problem('unauthenticated')
  return credential
}

/** Why goes to the log. The client learns only whether to try again with a newer cookie. */
export async function refusal(
  request: FastifyRequest,
  { id: session }: Credential,
  gone: Gone,
  { metrics, refused }: Pick<Watch, 'metrics' | 'refused'>,
): Promise<Problem> {
  metrics.sessionRefused(gone)
  // A secret from long ago may be a copy in other hands. Whose, was not proved.
  if (gone === 'replayed') {
    const context = contextOf(request)
    await refused({ action: 'session.reuse-detected', reason: gone, actor: undefined, session, context })
  }
  request.log.info({ gone }, 'session rejected')
  const renewed = gone === 'superseded' || gone === 'replayed'
  return new Problem(renewed ? 'session_superseded' : 'unauthenticated')
}

/** Moves last-seen after the answer has gone out; its failure is a line in the log, never a failed request. */
export function touchAfterwards(app: FastifyInstance, sessions: Sessions): void {
  app.addHook('onResponse', async request => {
    const live = request.signedIn?.live
    if (!live?.touchDue) return
    await sessions
      .touch(live.principal.session)
      .catch(error => request.log.warn({ err: error }, 'the last-seen time of a session was not updated'))
  })
}
