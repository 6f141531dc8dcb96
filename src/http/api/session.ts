/** The session of a browser: opened and ended, proved again, who is signed in, and in which of their tenants. */

import { Type } from 'typebox'
import type { Live } from '../../sessions/sessions.js'
import type { AccountHandlers } from '../handlers/account.js'
import { signedIn } from '../middleware/signed-in.js'
import type { App } from '../shapes/app.js'
import { codeMembers, proofIn, SecondStepNeeded } from '../shapes/codes.js'
import {
  Body,
  Email,
  forAnyone,
  forSessions,
  forSessionsOrNobody,
  Id,
  Instant,
  jsonProblems,
  Nothing,
  Opened,
  operation,
  Password,
  userProblems,
  WhoAmI,
} from '../shapes/schemas.js'

export function signInRoute(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/session',
    operation('session', forAnyone, 'signIn', {
      revokes: 'its session',
      summary: 'Sign in: create a session and set its cookie',
      body: Body({ email: Email, password: Password }),
      answers: { 201: Opened, 202: SecondStepNeeded },
      refuses: [...jsonProblems, 'invalid_credentials', 'too_many_requests', 'busy'],
    }),
    (request, reply) => acts.signIn(request, reply, request.body),
  )
}

/** In the signed-in context. */
export function whoAmIRoute(app: App): void {
  app.get(
    '/v1/session',
    operation('session', forSessions, 'whoAmI', {
      summary: 'Get the signed-in user with the current tenant, roles and permissions',
      answers: { 200: WhoAmI },
      refuses: [
        'unauthenticated',
        'session_superseded',
        'insecure_transport',
        'too_many_requests',
        'unavailable',
      ],
    }),
    async request => describe(signedIn(request).live),
  )
}

/** Outside the signed-in context: signing out twice, or without a session, is no error. */
export function signOutRoute(app: App, acts: AccountHandlers): void {
  app.delete(
    '/v1/session',
    operation('session', forSessionsOrNobody, 'signOut', {
      revokes: 'its session',
      summary: 'Sign out: end the session and clear its cookie',
      answers: { 204: Nothing('The user is signed out, now or earlier.') },
      refuses: [...jsonProblems],
    }),
    async (request, reply) => {
      await acts.signOut(request, reply)
      return reply.code(204).send(null)
    },
  )
}

function describe({ principal, profile, createdAt, idleEndsAt }: Live): WhoAmI {
  const { tenant } = principal
  return {
    session: {
      id: principal.session,
      created_at: createdAt,
      auth_time: principal.authTime ?? null,
      amr: [...principal.amr],
      acr: principal.acr,
      ends_at: principal.endsAt,
      idle_ends_at: Math.min(idleEndsAt, principal.endsAt),
    },
    user: { id: principal.user, ...profile },
    tenant:
      typeof tenant === 'string'
        ? null
        : { ...tenant, roles: [...tenant.roles], permissions: [...tenant.permissions] },
  }
}

export const StepUpDone = Type.Object(
  {
    session: Type.Object(
      {
        id: Type.String(),
        auth_time: Instant,
        amr: Type.Array(Type.String(), { description: 'Authentication methods (RFC 8176).' }),
        acr: Type.String(),
        ends_at: Instant,
      },
      { title: 'AuthenticatedSession' },
    ),
  },
  {
    title: 'StepUp',
    description: 'The user has authenticated again, and `Set-Cookie` contains the rotated session cookie.',
  },
)

/** In the signed-in context. */
export function stepUpRoute(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/session/step-up',
    operation('session', forSessions, 'stepUp', {
      revokes: 'its session',
      summary: 'Step up: authenticate again, which updates auth_time and rotates the session cookie',
      body: Body({ password: Type.Optional(Password), ...codeMembers }),
      answers: { 200: StepUpDone },
      refuses: [...userProblems, 'wrong_password', 'wrong_code', 'codes_locked', 'second_factor_required'],
    }),
    async (request, reply) => describeStepUp(await acts.stepUp(request, reply, proofIn(request.body))),
  )
}

type SteppedUp = Awaited<ReturnType<AccountHandlers['stepUp']>>

export function describeStepUp({ credential, now, endsAt, identity: { amr, acr } }: SteppedUp) {
  return {
    session: { id: credential.id, auth_time: Math.floor(now), amr: [...amr], acr, ends_at: endsAt },
  }
}

/** In the signed-in context. */
export function switchTenantRoute(app: App, acts: AccountHandlers): void {
  app.put(
    '/v1/session/tenant',
    operation('session', forSessions, 'switchTenant', {
      summary: 'Switch the current tenant, the default of token requests; null leaves the tenant',
      body: Body({ tenant: Type.Union([Id, Type.Null()]) }),
      answers: { 204: Nothing('The current tenant was switched.') },
      refuses: [...userProblems, 'tenant_forbidden'],
    }),
    async (request, reply) => {
      await acts.switchTenant(request, request.body.tenant)
      return reply.code(204).send(null)
    },
  )
}
