/** What every request passes through: its id, its log line, limits on its head, its body's type, security headers, TLS. */
import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readAddress, type Trusts } from '../../core/network-address.js'
import type { SessionId } from '../../core/principal.js'
import { Problem } from './problem.js'
import { securityHeaders } from './security-headers.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** For the log line: the public id of the session whose secret this request proved. */
    sessionId: SessionId | undefined
  }
}

/** Names and values together; Node's own limit is on bytes (16 KiB). */
const mostRawHeaders = 200
/** Node shows the first of several and hides the others, and one beside us may go by another than we do. */
const onceAtMost = new Set(['host', 'authorization', 'content-type'])

export const bodyLimitBytes = 64 * 1024

export function newRequestId(): string {
  return randomUUID()
}

export function frame(app: FastifyInstance, issuer: string): void {
  app.decorateRequest('sessionId', undefined)
  app.decorateRequest('callingClient', undefined)
  app.decorateRequest('signedIn', undefined)
  app.decorateRequest('confirmSession', undefined)
  app.decorateRequest('caller', undefined)
  app.decorateRequest('authority', undefined)
  app.decorateRequest('endTurn', undefined)
  app.decorateRequest('judgeAuthority', undefined)
  readOnlyJson(app)

  const headers = securityHeaders(issuer)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers).header('request-id', request.id)
    const fault = headFault(request)
    if (!fault) return
    reply.header('connection', 'close')
    throw fault
  })

  closeAfterTheLastAnswer(app)
  app.addHook('onResponse', async (request, reply) => logRequest(request, reply))
}

/** One line a request. */
export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { method, routeOptions, sessionId, caller } = request
  const durationMs = Math.round(reply.elapsedTime * 100) / 100
  const line = { method, route: routeOptions.url ?? 'none', status: reply.statusCode, durationMs }
  const by = {
    ...(sessionId !== undefined && { session: sessionId }),
    ...(caller && 'service' in caller && { serviceKey: caller.service.id }),
  }
  request.log.info({ ...line, ...by }, 'request')
}

/**
 * What Node's parser lets through and nobody may send: RFC 9112, section 3.2, and no other protocol than HTTP/1.x. An
 * offer to upgrade is ignored (RFC 9110, section 7.8): Java's client makes one with every request over plain HTTP.
 */
function headFault({ raw }: FastifyRequest): Problem | undefined {
  const { rawHeaders, httpVersionMajor } = raw
  if (rawHeaders.length > mostRawHeaders) return new Problem('header_fields_too_large')
  if (httpVersionMajor !== 1) return new Problem('invalid_request', { detail: 'Use HTTP/1.1.' })
  const seen = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? ''
    if (!onceAtMost.has(name)) continue
    if (seen.has(name))
      return new Problem('invalid_request', { detail: `The request has more than one ${name} header.` })
    seen.add(name)
  }
  return undefined
}

/** While closing, anybody who is being answered must not keep the connection, or the close would wait for it. */
function closeAfterTheLastAnswer(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })
}

/** A form's or a script's body in another type never reaches a JSON route; an empty body is not one. */
function readOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const { 'content-type': type = '' } = request.headers
    if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type))
      return done(new Problem('unsupported_media_type'))
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body))
      return done(new Problem('invalid_request', { detail: 'The request body is not valid UTF-8.' }))
    return parse(request, body.toString(), done)
  })
}

/** Under an https issuer cookies travel through TLS only, as a trusted proxy (and nobody else) can tell us. */
export function requireSecureTransport(app: FastifyInstance, issuer: string, trusts: Trusts): void {
  if (!issuer.startsWith('https:')) return
  app.addHook('onRequest', async request => {
    if (request.protocol === 'https') return
    const peer = request.socket.remoteAddress
    const said = request.headers['x-forwarded-proto']
    const refused = !trusts(peer)
      ? 'the peer is not in MINTMARK_TRUSTED_PROXIES'
      : `the proxy ${said === undefined ? 'sends no X-Forwarded-Proto' : 'sends another X-Forwarded-Proto than https'}`
    request.log.info({ peer: readAddress(peer), refused }, 'insecure transport rejected')
    throw new Problem('insecure_transport')
  })
}
