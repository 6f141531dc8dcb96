/** The service key of a request: `Authorization: Bearer mintmark_sk_…`, or Basic for introspection; read strictly. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../../core/caller.js'
import {
  type KeyRefusal,
  type LiveKey,
  parseServiceCredential,
  type ServiceCredential,
} from '../../core/service-key.js'
import type { ServiceKeyStore } from '../../tenants/service-keys.js'
import { carriesSessionCookie } from './cookie.js'
import { Problem } from './problem.js'

/** What a context asks of a request before its body is read. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, by a service key or in the admin context. */
    caller: Caller | undefined
  }
}

const bearer = /^Bearer +([^ ]+)$/i
const basic = /^Basic +([A-Za-z0-9+/]+={0,2})$/i

/** Who sends this scheme means to be judged by it, whatever else the request carries. */
export function isByBearer({ headers }: FastifyRequest): boolean {
  return /^Bearer( |$)/i.test(headers.authorization ?? '')
}

export function isByBasic({ headers }: FastifyRequest): boolean {
  return /^Basic( |$)/i.test(headers.authorization ?? '')
}

/** A key is no browser's: a page that knows one has given it away. */
export function presentedKey(request: FastifyRequest): ServiceCredential {
  if (!isByBearer(request)) throw new Problem('invalid_service_key')
  return presented(request, bearer.exec(request.headers.authorization ?? '')?.[1])
}

/** As OAuth clients present it too (RFC 6749, section 2.3.1): the key's id for the client's, the key for its secret. */
export function presentedClient(request: FastifyRequest): ServiceCredential {
  if (!isByBasic(request)) return presentedKey(request)
  return presented(request, keyFromBasic(request.headers.authorization ?? ''))
}

function presented(request: FastifyRequest, key: string | undefined): ServiceCredential {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined || site !== undefined)
    throw new Problem('wrong_origin', { detail: 'Service keys cannot be used from a browser.' })
  if (carriesSessionCookie(request))
    throw new Problem('invalid_request', {
      detail: 'Send either a service key or a session cookie, not both.',
    })
  const credential = parseServiceCredential(key ?? '')
  if (!credential) throw keyRefusal(request, 'malformed')
  return credential
}

/** Both halves are form-encoded before they become Basic's; what is of another key's id is no key. */
function keyFromBasic(authorization: string): string | undefined {
  const pair = Buffer.from(basic.exec(authorization)?.[1] ?? '', 'base64').toString('latin1')
  const [, id = '', key = ''] = /^([^:]*):(.*)$/s.exec(pair) ?? []
  try {
    const [client, secret] = [id, key].map(half => decodeURIComponent(half.replaceAll('+', ' ')))
    return client === parseServiceCredential(secret ?? '')?.id ? secret : undefined
  } catch {
    return undefined
  }
}

/** Why goes to the log; the client learns only that the key does not work. */
export function keyRefusal(request: FastifyRequest, refused: KeyRefusal | 'malformed'): Problem {
  request.log.info({ refused }, 'service key rejected')
  return new Problem('invalid_service_key')
}

/** From here on the request is this key's: in its log line, and as use of it. */
export function recordKey(request: FastifyRequest, key: LiveKey): void {
  request.caller = { service: key }
}

/** Moves last-used after the answer has gone out; its failure is a line in the log, never a failed request. */
export function touchKeysAfterwards(app: FastifyInstance, keys: Pick<ServiceKeyStore, 'touch'>): void {
  app.addHook('onResponse', async ({ caller, log }) => {
    if (!caller || !('service' in caller) || !caller.service.useDue) return
    await keys
      .touch(caller.service.id)
      .catch(error => log.warn({ err: error }, 'the last-used time of a service key was not updated'))
  })
}
