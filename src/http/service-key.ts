/** The service key of a request: `Authorization: Bearer mintmark_sk_…`, read strictly and from nowhere else. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseServiceCredential, type ServiceCredential } from '../directory/service-credential.js'
import type { KeyRefusal, LiveKey, ServiceKeyStore } from '../directory/service-keys.js'
import { Problem } from '../errors.js'
import { carriesSessionCookie } from './cookie.js'

/** What a context asks of a request before its body is read. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

declare module 'fastify' {
  interface FastifyRequest {
    serviceKey: LiveKey | undefined
  }
}

const bearer = /^Bearer +([^ ]+)$/i

/** Who sends this scheme means to be judged by it, whatever else the request carries. */
export function isByBearer({ headers }: FastifyRequest): boolean {
  return /^Bearer( |$)/i.test(headers.authorization ?? '')
}

/** A key is no browser's: a page that knows one has given it away. */
export function presentedKey(request: FastifyRequest): ServiceCredential {
  const { authorization, origin, 'sec-fetch-site': site } = request.headers
  if (!isByBearer(request)) throw new Problem('invalid_service_key')
  if (origin !== undefined || site !== undefined)
    throw new Problem('wrong_origin', { detail: 'A service key is not for browsers.' })
  if (carriesSessionCookie(request))
    throw new Problem('invalid_request', { detail: 'Send a service key or a session cookie, not both.' })
  const credential = parseServiceCredential(bearer.exec(authorization ?? '')?.[1] ?? '')
  if (!credential) throw keyRefusal(request, 'malformed')
  return credential
}

/** Why goes to the log; the client learns only that the key does not work. */
export function keyRefusal(request: FastifyRequest, refused: KeyRefusal | 'malformed'): Problem {
  request.log.info({ refused }, 'service key refused')
  return new Problem('invalid_service_key')
}

/** From here on the request is this key's: in its log line, and as use of it. */
export function recordKey(request: FastifyRequest, key: LiveKey): void {
  request.serviceKey = key
}

/** Moves last-used after the answer has gone out; its failure is a line in the log, never a failed request. */
export function touchKeysAfterwards(app: FastifyInstance, keys: Pick<ServiceKeyStore, 'touch'>): void {
  app.addHook('onResponse', async ({ serviceKey, log }) => {
    if (!serviceKey?.useDue) return
    await keys.touch(serviceKey.id).catch(error => log.warn({ err: error }, 'last-used was not moved'))
  })
}
