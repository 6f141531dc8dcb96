/** Turns whatever a request ends with into a problem document from the catalogue (RFC 9457). */
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HashQueueFull } from '../../accounts/password-hash.js'
import { Throttled } from '../../accounts/throttle.js'
import { FactorKeyMissing } from '../../accounts/totp.js'
import { Outage } from '../../core/errors.js'
import { type Fault, faultsIn } from './faults.js'
import type { Metrics } from './metrics.js'
import { catalogue, type ErrorCode, Problem } from './problem.js'
import { isByBasic, isByBearer } from './service-key.js'

export function answerProblems(app: FastifyInstance, metrics: Metrics): void {
  app.setErrorHandler<FastifyError | Error>((error, request, reply) => {
    if (error instanceof Throttled) metrics.throttled(error.limit)
    return answer(error, request, reply)
  })
}

export function answer(
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { code, detail, maxAge, acrValues, errors } = refuse(error, request, reply)
  return reply
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send({ ...problemDocument(code, request.id), detail, max_age: maxAge, acr_values: acrValues, errors })
}

/** What a request ended with, in the catalogue's words. */
export interface Refusal {
  readonly code: ErrorCode
  readonly detail?: string | undefined
  /** Seconds. */
  readonly retryAfter?: number | undefined
  readonly maxAge?: number | undefined
  readonly acrValues?: string | undefined
  readonly errors?: readonly Fault[]
}

/** Sets the status and the headers of a refusal, and answers what its body, whatever that is, has to say. */
export function refuse(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): Refusal {
  const refusal = refusalOf(error, request.log)
  const { code, retryAfter } = refusal
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  const authenticate = challenge(refusal, request)
  if (authenticate !== undefined) reply.header('www-authenticate', authenticate)
  reply.code(catalogue[code][0]).header('cache-control', 'no-store')
  return refusal
}

/** What only the log may know goes there. */
function refusalOf(error: FastifyError | Error, log: FastifyBaseLogger): Refusal {
  if (error instanceof Problem) {
    const { code, detail, retryAfterSeconds: retryAfter, maxAgeSeconds: maxAge, acrValues } = error
    return { code, detail, retryAfter, maxAge, acrValues }
  }
  if (error instanceof HashQueueFull) return { code: 'busy', retryAfter: 2 }
  if (error instanceof Throttled) {
    log.info({ limit: error.limit }, 'throttled')
    return { code: 'too_many_requests', retryAfter: error.retryAfterSeconds }
  }
  if (error instanceof FactorKeyMissing) {
    log.error({ missing: error.message }, 'the key-encryption key of a second factor is missing')
    return { code: 'unavailable', retryAfter: 60 }
  }
  if (error instanceof Outage) {
    log.error({ outage: error.message }, 'the primary could not be reached')
    return { code: error.outcome === 'unknown' ? 'not_confirmed' : 'unavailable', retryAfter: 1 }
  }
  if ('validation' in error && error.validation)
    return { code: 'invalid_request', errors: faultsIn(error.validation) }
  const code = codeOfStatus((error as FastifyError).statusCode)
  if (code) return { code }
  log.error({ err: error }, 'unexpected error')
  return { code: 'internal_error' }
}

/** What Fastify itself refuses: a body that is no JSON, too large, of another type. */
function codeOfStatus(status: number | undefined): ErrorCode | undefined {
  if (status === undefined || status < 400 || status >= 500) return undefined
  if (status === 413) return 'body_too_large'
  if (status === 415) return 'unsupported_media_type'
  if (status === 404) return 'not_found'
  return 'invalid_request'
}

/**
 * RFC 9110, section 15.5.2: a 401 names how to authenticate. Browsers do that by the session cookie, in the words of
 * RFC 9470, which has them for bearer tokens; services by a key, after RFC 6750, section 3.
 */
function challenge({ code, maxAge, acrValues }: Refusal, request: FastifyRequest): string | undefined {
  const byBearer = isByBearer(request)
  if (code === 'forbidden' && byBearer) return 'Bearer error="insufficient_scope"'
  if (code === 'invalid_service_key') {
    // RFC 6749, section 5.2: in the scheme that was used.
    if (isByBasic(request)) return 'Basic realm="introspection"'
    return byBearer ? 'Bearer error="invalid_token"' : 'Bearer'
  }
  if (catalogue[code][0] !== 401) return undefined
  if (maxAge === undefined) return 'Session'
  const level = acrValues === undefined ? '' : `, acr_values="${acrValues}"`
  return `Session error="${code}", max_age="${maxAge}"${level}`
}

export function problemDocument(code: ErrorCode, requestId: string) {
  const [status, title] = catalogue[code]
  return { type: `urn:mintmark:problem:${code}`, title, status, code, request_id: requestId }
}
