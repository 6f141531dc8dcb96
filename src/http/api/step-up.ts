/** Step-up: proving oneself again while signed in. */
import { Type } from 'typebox'
import type { Acts } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import { Body, forSessions, Instant, operation, Password, personProblems } from '../shapes/schemas.js'

const Proved = Type.Object(
  {
    session: Type.Object({
      id: Type.String(),
      auth_time: Instant,
      amr: Type.Array(Type.String(), { description: 'RFC 8176.' }),
      acr: Type.String(),
      ends_at: Instant,
    }),
  },
  { description: 'Proved, and `Set-Cookie` holds the renewed session.' },
)

/** In the signed-in context. */
export function stepUpRoute(app: App, acts: Acts): void {
  app.post(
    '/v1/session/step-up',
    operation('session', forSessions, 'stepUp', {
      summary: 'Prove yourself again: raises auth_time and renews the cookie',
      body: Body({ password: Password }),
      answers: { 200: Proved },
      refuses: [...personProblems, 'wrong_password'],
    }),
    async (request, reply) => {
      const { credential, now, endsAt, identity } = await acts.stepUp(request, reply, request.body)
      const { amr, acr } = identity
      return {
        session: { id: credential.id, auth_time: Math.floor(now), amr: [...amr], acr, ends_at: endsAt },
      }
    },
  )
}
