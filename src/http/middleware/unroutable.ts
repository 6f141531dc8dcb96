/** Answers what never reaches a route: bytes that are no HTTP, heads that are too large or too slow, broken targets. */
import type { ConnectionError, FastifyBaseLogger, FastifyServerOptions } from 'fastify'
import { logRequest, newRequestId } from './frame.js'
import { catalogue, type ErrorCode } from './problem.js'
import { answer, problemDocument } from './problems.js'
import { securityHeaders } from './security-headers.js'

type Handlers = Required<Pick<FastifyServerOptions, 'frameworkErrors' | 'clientErrorHandler'>>

export function answerUnroutable(issuer: string, log: FastifyBaseLogger): Handlers {
  const headers = securityHeaders(issuer)
  return {
    frameworkErrors(error, request, reply) {
      reply.headers(headers).header('request-id', request.id)
      answer(error, request, reply)
      logRequest(request, reply)
    },

    // Fastify's own handler would log the bytes, and they may hold a cookie.
    clientErrorHandler(error, socket) {
      if (socket.destroyed || error.code === 'ECONNRESET') return
      const code = codeOf(error)
      const id = newRequestId()
      const status = catalogue[code][0]
      log.info({ requestId: id, status, parser: error.code }, 'request rejected by the parser')
      if (!socket.writable) return void socket.destroy()
      const body = JSON.stringify(problemDocument(code, id))
      const fields = {
        ...headers,
        'content-type': 'application/problem+json',
        'content-length': String(Buffer.byteLength(body)),
        'request-id': id,
        connection: 'close',
      }
      const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.end(`HTTP/1.1 ${status} ${reasons[code]}\r\n${lines.join('')}\r\n${body}`)
    },
  }
}

const reasons: Partial<Record<ErrorCode, string>> = {
  invalid_request: 'Bad Request',
  request_timeout: 'Request Timeout',
  header_fields_too_large: 'Request Header Fields Too Large',
}

function codeOf({ code }: ConnectionError): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'header_fields_too_large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request'
}
