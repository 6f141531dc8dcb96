/** Passwords: forgotten, reset by a link, changed while signed in. */
import type { AccountHandlers } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import {
  Accepted,
  Body,
  Email,
  forAnyone,
  forSessions,
  jsonProblems,
  LinkToken,
  Nothing,
  operation,
  Password,
  userProblems,
} from '../shapes/schemas.js'

export function forgottenPasswordRoutes(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/password/forgot',
    operation('password', forAnyone, 'forgotPassword', {
      summary: 'Request a reset link by email; the response is the same whether the address is known or not',
      body: Body({ email: Email }),
      answers: { 202: Accepted },
      refuses: [...jsonProblems, 'invalid_email', 'too_many_requests'],
    }),
    async (request, reply) => {
      await acts.askForReset(request, request.body.email)
      return reply.code(202).send({ accepted: true })
    },
  )

  app.post(
    '/v1/password/reset',
    operation('password', forAnyone, 'resetPassword', {
      revokes: 'always',
      summary: 'Use the link to set a new password; all sessions of the user end',
      body: Body({ token: LinkToken, password: Password }),
      answers: {
        204: Nothing(
          'The password is set. Sign in with it: the cookie `__Host-reset` exempts one sign-in from the limits on failed attempts.',
        ),
      },
      refuses: [...jsonProblems, 'link_invalid', 'weak_password', 'too_many_requests', 'busy'],
    }),
    async (request, reply) => {
      await acts.resetPassword(request, reply, request.body)
      return reply.code(204).send(null)
    },
  )
}

/** In the signed-in context. */
export function changePasswordRoute(app: App, acts: AccountHandlers): void {
  app.put(
    '/v1/password',
    operation('password', forSessions, 'changePassword', {
      revokes: 'always',
      summary:
        'Change the password, which needs the current one; all other sessions end, and the session cookie is rotated',
      body: Body({ current_password: Password, new_password: Password }),
      answers: {
        204: Nothing('The password is changed, and `Set-Cookie` contains the rotated session cookie.'),
      },
      refuses: [...userProblems, 'wrong_password', 'weak_password'],
    }),
    async (request, reply) => {
      await acts.changePassword(request, reply, request.body)
      return reply.code(204).send(null)
    },
  )
}
