/** Which origin may do what: the one check against forged requests, and CORS for exactly the origins that pass it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ClientId } from '../../core/principal.js'
import { hostedPages } from '../../tenants/applications.js'
import type { OriginRegistry } from '../../tenants/origins.js'
import { Problem } from './problem.js'
import type { Guard } from './service-key.js'

export interface OriginRules {
  readonly issuer: string
  readonly registry: OriginRegistry
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The application that owns the request's Origin; undefined when the request has none. */
    callingClient: ClientId | undefined
  }
}

/** Who may call the routes of a context: every registered application, or those trusted with the account, or with admin. */
export type Callers = 'registered applications' | 'account applications' | 'admin applications'

const needed = { 'account applications': 'account', 'admin applications': 'admin' } as const

/**
 * Guards every route of the context, before its body is read:
 * - an `Origin` must be one that may call these routes, and `Sec-Fetch-Site` must agree with it;
 * - a state-changing request must carry `X-Mintmark: 1`, which no form and no simple cross-origin request can;
 * - one with neither header comes from no browser, and `X-Mintmark` suffices.
 */
export function guardOrigins(app: FastifyInstance, rules: OriginRules, callers: Callers): void {
  app.addHook('onRequest', originGuard(rules, callers))
}

export function originGuard(rules: OriginRules, callers: Callers): Guard {
  return async (request, reply) => {
    reply.header('vary', 'Origin')
    const { origin } = request.headers
    const client = origin === undefined ? undefined : await callerAt(origin, rules, callers)
    if (client !== undefined) {
      request.callingClient = client
      if (origin !== rules.issuer) allow(reply, origin as string)
    }
    if (request.method === 'GET' || request.method === 'HEAD') return
    const fault = forged(request, client, rules.issuer)
    if (!fault) return
    request.log.info({ refused: fault }, 'origin rejected')
    throw new Problem('wrong_origin', { detail: fault })
  }
}

/** Guards the hosted forms, which no script sends and no other origin may: `Origin` is the issuer, and nothing else. */
export function guardForms(app: FastifyInstance, issuer: string): void {
  app.addHook('onRequest', async request => {
    if (request.method === 'GET' || request.method === 'HEAD') return
    const { origin } = request.headers
    const site = request.headers['sec-fetch-site'] ?? 'same-origin'
    if (origin === issuer && site === 'same-origin') return
    request.log.info({ refused: 'not from a page of the issuer' }, 'origin rejected')
    throw new Problem('wrong_origin')
  })
}

/** Answers preflights (Fetch, section 3.2.2). It only tells a browser to go on; the request itself is judged again. */
export function answerPreflights(app: FastifyInstance, rules: OriginRules): void {
  app.options('*', { schema: { hide: true } }, async (request, reply) => {
    reply.header('vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers')
    const { origin } = request.headers
    if (origin === undefined || !(await callerAt(origin, rules, 'registered applications'))) {
      throw new Problem('wrong_origin')
    }
    allow(reply, origin)
    reply.header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
    reply.header('access-control-allow-headers', 'content-type, idempotency-key, prefer, x-mintmark')
    return reply.header('access-control-max-age', '600').code(204).send()
  })
}

async function callerAt(origin: string, { issuer, registry }: OriginRules, callers: Callers) {
  if (origin === issuer) return hostedPages
  const owner = await registry.ownerOf(origin)
  return callers === 'registered applications' || owner?.grants.includes(needed[callers])
    ? owner?.clientId
    : undefined
}

function forged(request: FastifyRequest, client: ClientId | undefined, issuer: string): string | undefined {
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  if (origin !== undefined && client === undefined) return 'This origin is not allowed to call this route.'
  if (origin === undefined && site !== undefined)
    return 'Browsers send an Origin header with this request; it is missing.'
  if (site !== undefined && site !== (origin === issuer ? 'same-origin' : 'same-site')) {
    return 'Sec-Fetch-Site and Origin contradict each other.'
  }
  if (request.headers['x-mintmark'] !== '1') return 'The header X-Mintmark: 1 is missing.'
  return undefined
}

function allow(reply: FastifyReply, origin: string): void {
  reply.header('access-control-allow-origin', origin).header('access-control-allow-credentials', 'true')
  reply.header(
    'access-control-expose-headers',
    'retry-after, request-id, mintmark-revocation, preference-applied',
  )
}
