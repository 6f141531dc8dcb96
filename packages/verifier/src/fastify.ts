/** Owns the Fastify adapter: a context of its own, in which every route has a `request.principal`. */
import type { FastifyPluginAsync, FastifyReply, onRequestAsyncHookHandler } from 'fastify'
import { authorizations } from './authorizations.js'
import { answerTo, authenticate } from './bearer.js'
import type { Principal } from './principal.js'
import type { Refused } from './refusal.js'
import type { Requirement } from './requirements.js'
import type { Gate } from './verifier.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling. There only within `protectedRoutes`. */
    principal: Principal
  }
}

/**
 * A plugin that registers `routes` behind the gate: `app.register(protectedRoutes(verifier, async api => { … }))`.
 * The token is verified before a body is read.
 */
export function protectedRoutes(gate: Gate, routes: FastifyPluginAsync): FastifyPluginAsync {
  return async (app, options) => {
    if (!app.hasRequestDecorator('principal')) app.decorateRequest('principal')
    app.addHook('onRequest', async (request, reply) => {
      const answer = await authenticate(gate, authorizations(request.raw))
      if (!answer.ok) return refuse(reply, answer)
      request.principal = answer.principal
    })
    await app.register(routes, { ...options, prefix: '' })
  }
}

/** For a route's `onRequest`, within `protectedRoutes`. */
export function requires(gate: Gate, ...requirements: readonly Requirement[]): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const answer = gate.check(request.principal, ...requirements)
    if (!answer.ok) return refuse(reply, answer)
  }
}

export function refuse(reply: FastifyReply, refusal: Refused): FastifyReply {
  const { status, headers, body } = answerTo(refusal)
  return reply.code(status).headers(headers).send(body)
}
