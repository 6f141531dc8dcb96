/** What every request passes through: its id, its log line, limits on its head, security headers, TLS. */
import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import { Problem } from '../errors.js'
import type { SessionId } from '../principal.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** For the log line: the public id of the session whose secret this request proved. */
    sessionId: SessionId | undefined
  }
}

/** Names and values together; Node's own limit is on bytes (16 KiB). */
const mostRawHeaders = 200

export const bodyLimitBytes = 64 * 1024

export function newRequestId(): string {
  return randomUUID()
}

export async function frame(app: FastifyInstance, issuer: string): Promise<void> {
  app.decorateRequest('sessionId', undefined)
  app.decorateRequest('callingClient', undefined)
  app.decorateRequest('signedIn', undefined)

  readOnlyJson(app)

  app.addHook('onRequest', async (request, reply) => {
    reply.header('request-id', request.id).header('cache-control', 'no-store')
    if (request.raw.rawHeaders.length > mostRawHeaders) throw new Problem('header_fields_too_large')
    if (request.headers.upgrade !== undefined)
      throw new Problem('invalid_request', { detail: 'There is no upgrade here.' })
  })

  closeAfterTheLastAnswer(app)

  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions, sessionId } = request
    const durationMs = Math.round(reply.elapsedTime * 100) / 100
    const line = { method, route: routeOptions.url ?? 'none', status: reply.statusCode, durationMs }
    request.log.info(sessionId === undefined ? line : { ...line, session: sessionId }, 'request')
  })

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        'connect-src': ["'self'"],
        'form-action': ["'self'"],
        'base-uri': ["'none'"],
        'frame-ancestors': ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    // Under `no-referrer` a same-origin form would post `Origin: null`.
    referrerPolicy: { policy: 'same-origin' },
    hsts: issuer.startsWith('https:') ? { maxAge: 31_536_000, includeSubDomains: false } : false,
  })
}

/** While closing, whoever is being answered must not keep the connection, or the close would wait for it. */
function closeAfterTheLastAnswer(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
}

/** A form's or a script's body in another type never reaches a JSON route; an empty body is none. */
function readOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const { 'content-type': type = '' } = request.headers
    if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type))
      return done(new Problem('unsupported_media_type'))
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body)) return done(new Problem('invalid_request', { detail: 'The body is not UTF-8.' }))
    return parse(request, body.toString(), done)
  })
}

/** Under an https issuer cookies travel through TLS only, as a trusted proxy (and nobody else) can tell us. */
export function requireSecureTransport(app: FastifyInstance, issuer: string): void {
  if (!issuer.startsWith('https:')) return
  app.addHook('onRequest', async request => {
    if (request.protocol !== 'https') throw new Problem('insecure_transport')
  })
}
