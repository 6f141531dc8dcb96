/** Passkeys: signing in and stepping up with one, as the only step or the second, and registering one. */
import { Type } from 'typebox'
import { describeFactor } from '../../accounts/factors.js'
import type { AccountHandlers } from '../handlers/account.js'
import type { FactorHandlers } from '../handlers/factors.js'
import type { PasskeyHandlers } from '../handlers/passkeys.js'
import type { App } from '../shapes/app.js'
import { Factor } from '../shapes/factors.js'
import {
  AssertionOptions,
  AssertionResponse,
  RegistrationOptions,
  RegistrationResponse,
} from '../shapes/passkeys.js'
import {
  Body,
  forAnyone,
  forSessions,
  jsonProblems,
  Opened,
  operation,
  userProblems,
} from '../shapes/schemas.js'
import { Name, recoveryCodes } from './factors.js'
import { describeStepUp, StepUpDone } from './session.js'

interface Acts {
  readonly acts: AccountHandlers
  readonly factors: FactorHandlers
  readonly passkeys: PasskeyHandlers
}

const answered = Body({ response: AssertionResponse })

/** Outside the signed-in context: there is no session yet. */
export function passkeySignInRoutes(app: App, { factors, passkeys }: Omit<Acts, 'acts'>): void {
  app.post(
    '/v1/passkey/sign-in/options',
    operation('passkeys', forAnyone, 'beginPasskeySignIn', {
      summary:
        'Get a challenge for signing in with a passkey, and set the cookie of the browser that answers it',
      answers: { 200: AssertionOptions },
      refuses: [...jsonProblems, 'too_many_requests'],
    }),
    (request, reply) => passkeys.signInOptions(request, reply),
  )
  app.post(
    '/v1/passkey/sign-in',
    operation('passkeys', forAnyone, 'signInWithPasskey', {
      revokes: 'its session',
      summary: 'Sign in with a passkey alone: create a session and set its cookie',
      body: answered,
      answers: { 201: Opened },
      refuses: [...jsonProblems, 'passkey_failed', 'too_many_requests'],
    }),
    (request, reply) => passkeys.signIn(request, reply, request.body.response),
  )
  app.post(
    '/v1/session/second-factor/passkey/options',
    operation('passkeys', forAnyone, 'beginPasskeySecondStep', {
      summary: 'Get a challenge for completing a pending sign-in with a passkey',
      answers: { 200: AssertionOptions },
      refuses: [...jsonProblems, 'sign_in_expired', 'too_many_requests'],
    }),
    request => factors.passkeyOptions(request),
  )
  app.post(
    '/v1/session/second-factor/passkey',
    operation('passkeys', forAnyone, 'completeSignInWithPasskey', {
      revokes: 'its session',
      summary: 'Complete a pending sign-in with a passkey: create a session and set its cookie',
      body: answered,
      answers: { 201: Opened },
      refuses: [...jsonProblems, 'sign_in_expired', 'passkey_failed', 'too_many_requests'],
    }),
    (request, reply) => factors.completeSignIn(request, reply, { passkey: request.body.response }),
  )
}

/** In the signed-in context. */
export function passkeyStepUpRoutes(app: App, { acts }: Pick<Acts, 'acts'>): void {
  app.post(
    '/v1/session/step-up/passkey/options',
    operation('passkeys', forSessions, 'beginPasskeyStepUp', {
      summary: 'Get a challenge for stepping up with a passkey',
      answers: { 200: AssertionOptions },
      refuses: userProblems,
    }),
    request => acts.stepUpOptions(request),
  )
  app.post(
    '/v1/session/step-up/passkey',
    operation('passkeys', forSessions, 'stepUpWithPasskey', {
      revokes: 'its session',
      summary: 'Step up with a passkey, which updates auth_time and rotates the session cookie',
      body: answered,
      answers: { 200: StepUpDone },
      refuses: [...userProblems, 'passkey_failed'],
    }),
    async (request, reply) =>
      describeStepUp(await acts.stepUp(request, reply, { passkey: request.body.response })),
  )
}

const changes = [...userProblems, 'insufficient_user_authentication', 'too_many_passkeys'] as const

/** In the freshly authenticated context. Each asks for the highest level that the account has. */
export function passkeyRoutes(app: App, { passkeys }: Pick<Acts, 'passkeys'>): void {
  app.post(
    '/v1/passkeys/options',
    operation('passkeys', forSessions, 'beginPasskey', {
      summary: 'Get a challenge for registering a passkey',
      body: Body({
        first_step: Type.Optional(
          Type.Boolean({
            description:
              'Whether the passkey is to sign its user in without a password. It must then verify its user. True if absent.',
          }),
        ),
      }),
      answers: { 200: RegistrationOptions },
      refuses: changes,
    }),
    request => passkeys.registrationOptions(request, request.body.first_step ?? true),
  )
  app.post(
    '/v1/passkeys',
    operation('passkeys', forSessions, 'registerPasskey', {
      summary: 'Register a passkey',
      body: Body({ name: Type.Optional(Name), response: RegistrationResponse }),
      answers: {
        201: Type.Object(
          { factor: Factor, recovery_codes: recoveryCodes },
          {
            title: 'RegisteredPasskey',
            description: 'The passkey was registered, and is a factor from now on.',
          },
        ),
      },
      refuses: [...changes, 'passkey_rejected'],
    }),
    async (request, reply) => {
      const { name, response } = request.body
      const { factor, recoveryCodes } = await passkeys.register(request, response, name)
      return reply.code(201).send({ factor: describeFactor(factor), recovery_codes: [...recoveryCodes] })
    },
  )
}
