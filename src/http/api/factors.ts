/** Second factors: the second step of a sign-in, and what users do with the factors of their account. */
import { Type } from 'typebox'
import { describeFactors } from '../../accounts/factors.js'
import type { FactorHandlers } from '../handlers/factors.js'
import type { App } from '../shapes/app.js'
import { codeIn, codeMembers, TotpCode } from '../shapes/codes.js'
import { FactorList } from '../shapes/factors.js'
import {
  Body,
  forAnyone,
  forSessions,
  Id,
  jsonProblems,
  Nothing,
  Opened,
  operation,
  ownListProblems,
  Text,
  userProblems,
} from '../shapes/schemas.js'

export const Name = Text(100)
const params = Type.Object({ factor: Id })
export const recoveryCodes = Type.Array(Type.String(), {
  description: 'New recovery codes. They are shown once. Empty if the account had some before.',
})
const Codes = Type.Object(
  { recovery_codes: recoveryCodes },
  { title: 'RecoveryCodes', description: 'Recovery codes, each valid once.' },
)

/** Outside the signed-in context: there is no session yet. */
export function secondStepRoutes(app: App, acts: FactorHandlers): void {
  app.post(
    '/v1/session/second-factor',
    operation('session', forAnyone, 'completeSignIn', {
      revokes: 'its session',
      summary: 'Complete a pending sign-in with a code: create a session and set its cookie',
      body: Body(codeMembers),
      answers: { 201: Opened },
      refuses: [...jsonProblems, 'sign_in_expired', 'wrong_code', 'codes_locked', 'too_many_requests'],
    }),
    (request, reply) => acts.completeSignIn(request, reply, codeIn(request.body)),
  )
  app.delete(
    '/v1/session/second-factor',
    operation('session', forAnyone, 'cancelSignIn', {
      summary: 'Cancel a pending sign-in and clear its cookie',
      answers: { 204: Nothing('No sign-in is pending in this browser.') },
      refuses: [...jsonProblems],
    }),
    async (request, reply) => {
      await acts.cancelSignIn(request, reply)
      return reply.code(204).send(null)
    },
  )
}

/** In the signed-in context. */
export function factorListRoutes(app: App, acts: FactorHandlers): void {
  app.get(
    '/v1/factors',
    operation('factors', forSessions, 'listFactors', {
      summary: 'List the second factors of the signed-in user',
      answers: { 200: FactorList },
      refuses: [...ownListProblems],
    }),
    async request => describeFactors(await acts.list(request)),
  )
  // A user who has lost their factors has no stronger session than this one.
  app.delete(
    '/v1/factor-reset',
    operation('factors', forSessions, 'stopFactorReset', {
      summary: 'Stop an operator’s reset of the second factors before it is due',
      answers: { 204: Nothing('The factors stay.') },
      refuses: [...userProblems, 'not_found'],
    }),
    async (request, reply) => {
      await acts.stopReset(request)
      return reply.code(204).send(null)
    },
  )
}

const changes = [...userProblems, 'insufficient_user_authentication'] as const

/** In the freshly authenticated context. Each asks for the highest level that the account has. */
export function factorRoutes(app: App, acts: FactorHandlers): void {
  app.patch(
    '/v1/factors/:factor',
    operation('factors', forSessions, 'renameFactor', {
      summary: 'Rename a second factor',
      params,
      body: Body({ name: Name }),
      answers: { 204: Nothing('The factor was renamed.') },
      refuses: [...changes, 'not_found'],
    }),
    async (request, reply) => {
      await acts.rename(request, request.params.factor, request.body.name)
      return reply.code(204).send(null)
    },
  )
  app.delete(
    '/v1/factors/:factor',
    operation('factors', forSessions, 'removeFactor', {
      summary: 'Remove a second factor; with the last one the recovery codes are removed too',
      params,
      answers: { 204: Nothing('The factor was removed.') },
      refuses: [...changes, 'not_found', 'last_way_in'],
    }),
    async (request, reply) => {
      await acts.remove(request, request.params.factor)
      return reply.code(204).send(null)
    },
  )
  app.post(
    '/v1/totp',
    operation('factors', forSessions, 'beginTotp', {
      summary: 'Set up an authenticator app: get its secret, which is shown once',
      body: Body({ name: Type.Optional(Name) }),
      answers: {
        201: Type.Object(
          {
            secret: Type.String({ description: 'The secret in base32, for typing it into an app.' }),
            uri: Type.String({ description: '`otpauth://totp/…`, for a QR code.' }),
          },
          {
            title: 'TotpSecret',
            description: 'It becomes a factor when a code of it is confirmed within 15 minutes.',
          },
        ),
      },
      refuses: changes,
    }),
    async (request, reply) => {
      const { secret, address } = await acts.beginTotp(request, request.body.name)
      return reply.code(201).send({ secret, uri: address })
    },
  )
  app.post(
    '/v1/totp/confirm',
    operation('factors', forSessions, 'confirmTotp', {
      summary: 'Confirm an authenticator app with a code; it replaces an earlier one',
      body: Body({ code: TotpCode }),
      answers: { 200: Codes },
      refuses: [...changes, 'not_found', 'wrong_code'],
    }),
    async request => ({ recovery_codes: [...(await acts.confirmTotp(request, request.body.code))] }),
  )
  app.post(
    '/v1/recovery-codes',
    operation('factors', forSessions, 'replaceRecoveryCodes', {
      summary: 'Create new recovery codes; earlier ones no longer work',
      answers: { 201: Codes },
      refuses: [...changes, 'not_found'],
    }),
    async (request, reply) =>
      reply.code(201).send({ recovery_codes: [...(await acts.replaceCodes(request))] }),
  )
}
