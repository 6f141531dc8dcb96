/** Owns the adapter for Express and Connect: middleware that sets `request.principal`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { authorizations } from './authorizations.js'
import { authenticate } from './bearer.js'
import { refuse } from './node.js'
import type { Principal } from './principal.js'
import type { Requirement } from './requirements.js'
import type { Gate } from './verifier.js'

declare global {
  namespace Express {
    interface Request {
      /** Who is calling. There only behind `protect`. */
      principal: Principal
    }
  }
}

export { refuse } from './node.js'

type Next = (error?: unknown) => void
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void
type Known = IncomingMessage & { principal?: Principal }

/** `app.use('/orders', protect(verifier))`, before anything that reads a body. */
export function protect(gate: Gate, ...requirements: readonly Requirement[]): Middleware {
  return (request: Known, response, next) => {
    authenticate(gate, authorizations(request), requirements).then(answer => {
      if (!answer.ok) return refuse(response, answer)
      request.principal = answer.principal
      next()
    }, next)
  }
}

/** For one route behind `protect`: `app.post('/orders', requires(verifier, requirePermission('orders:write')), …)`. */
export function requires(gate: Gate, ...requirements: readonly Requirement[]): Middleware {
  return (request: Known, response, next) => {
    if (!request.principal) return next(new Error('requires() must come after protect()'))
    const answer = gate.check(request.principal, ...requirements)
    if (answer.ok) next()
    else refuse(response, answer)
  }
}
