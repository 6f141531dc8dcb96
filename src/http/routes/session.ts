/** The session: sign in, who am I, sign out. */

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { RecordRefusal } from '../../audit.js'
import { Problem } from '../../errors.js'
import type { Finish } from '../../login/finish.js'
import type { PasswordSignIn } from '../../login/password-sign-in.js'
import type { Live, Sessions } from '../../session/sessions.js'
import { addressOf, browserOf, occasionOf } from '../browser.js'
import { clearSessionCookie, readSessionCookie } from '../cookie.js'
import type { Metrics } from '../metrics.js'
import { opened } from '../opened.js'
import {
  Body,
  Email,
  forAnyone,
  forSessions,
  jsonProblems,
  Nothing,
  Opened,
  Password,
  problems,
  WhoAmI,
} from '../schemas.js'
import { signedIn } from '../signed-in.js'

export function signInRoute(
  passwordSignIn: PasswordSignIn,
  finish: Finish,
  refused: RecordRefusal,
  metrics: Metrics,
): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/session',
      {
        schema: {
          operationId: 'signIn',
          tags: ['session'],
          ...forAnyone,
          summary: 'Sign in: opens a session and sets its cookie',
          body: Body({ email: Email, password: Password }),
          response: {
            201: Opened,
            ...problems(...jsonProblems, 'invalid_credentials', 'too_many_requests', 'busy'),
          },
        },
      },
      async (request, reply) => {
        const { email, password } = request.body
        const answer = await passwordSignIn.prove(email, password, addressOf(request))
        if ('refused' in answer) {
          const { refused: reason, user: actor } = answer
          metrics.signIn(reason)
          request.log.info({ refused: reason, user: actor }, 'sign-in refused')
          refused({ action: 'session.opened', reason, actor, occasion: occasionOf(request) })
          throw new Problem('invalid_credentials')
        }
        const answered = await finish(answer.identity, browserOf(request))
        if (!answered) {
          const reason = 'credential-changed'
          metrics.signIn(reason)
          request.log.info({ refused: reason, user: answer.identity.user }, 'sign-in refused')
          refused({
            action: 'session.opened',
            reason,
            actor: answer.identity.user,
            occasion: occasionOf(request),
          })
          throw new Problem('invalid_credentials')
        }
        metrics.signIn('opened')
        return opened(request, reply, answered)
      },
    )
  }
}

/** In the signed-in context. */
export const whoAmIRoute: FastifyPluginAsyncTypebox = async app => {
  app.get(
    '/v1/session',
    {
      schema: {
        operationId: 'whoAmI',
        tags: ['session'],
        ...forSessions,
        summary: 'Who is signed in, in which tenant, with which roles and permissions: today’s answer',
        response: {
          200: WhoAmI,
          ...problems('unauthenticated', 'session_superseded', 'insecure_transport', 'unavailable'),
        },
      },
    },
    async request => describe(signedIn(request).live),
  )
}

/** Outside the signed-in context: signing out twice, or without a session, is no error. */
export function signOutRoute(sessions: Sessions): FastifyPluginAsyncTypebox {
  return async app => {
    app.delete(
      '/v1/session',
      {
        schema: {
          operationId: 'signOut',
          tags: ['session'],
          ...forSessions,
          summary: 'Sign out: ends the session and clears its cookie',
          response: {
            204: Nothing('Signed out, with or without a session before.'),
            ...problems(...jsonProblems),
          },
        },
      },
      async (request, reply) => {
        const credential = readSessionCookie(request)
        if (credential) await sessions.end(credential, occasionOf(request))
        clearSessionCookie(reply)
        return reply.code(204).send(null)
      },
    )
  }
}

function describe({ principal, profile, tenantName, createdAt, idleEndsAt }: Live): WhoAmI {
  const { standing } = principal
  return {
    session: {
      id: principal.session,
      created_at: createdAt,
      auth_time: principal.authTime,
      amr: [...principal.amr],
      acr: principal.acr,
      ends_at: principal.endsAt,
      idle_ends_at: Math.min(idleEndsAt, principal.endsAt),
    },
    user: { id: principal.user, ...profile },
    tenant:
      standing && tenantName !== undefined
        ? {
            id: standing.tenant,
            name: tenantName,
            roles: [...standing.roles],
            permissions: [...standing.permissions],
          }
        : null,
  }
}
