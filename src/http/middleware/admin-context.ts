/** The admin context: a freshly proved session or a service key that holds something here, and what each route needs. */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Throttle } from '../../accounts/throttle.js'
import { type Actor, actorOf, type RecordRefusal } from '../../audit/events.js'
import type { Authority, AuthorityStore, Authorized } from '../../core/authority.js'
import { type Caller, callerId } from '../../core/caller.js'
import type { TenantId } from '../../core/principal.js'
import { authorityOfKey, judgeKey, type KeyReads } from '../../core/service-key.js'
import { contextOf } from './browser.js'
import { Problem } from './problem.js'
import { type Guard, isByBearer, keyRefusal, presentedKey, recordKey } from './service-key.js'
import { mayChange, principalOf, type Settled, sessionCaller } from './signed-in.js'

/** Whether this caller may use a route, on what stands in its path. Unknown things are refused like forbidden ones. */
export type Needs = (caller: Authority, path: { readonly tenant: TenantId }) => boolean

declare module 'fastify' {
  interface FastifyContextConfig {
    needs?: Needs
  }
  interface FastifyRequest {
    /** What the caller held when the request's head came. */
    authority: Authority | undefined
    /** Throws what the request is answered with, unless this is enough for its route. */
    judgeAuthority: ((held: Authority) => Promise<void>) | undefined
  }
}

/** Decided once, by what the request presents: a service key is judged by its guards alone, all else as a browser. */
export function requireSessionOrKey(
  app: FastifyInstance,
  { session, key }: { readonly session: readonly Guard[]; readonly key: readonly Guard[] },
): void {
  app.addHook('onRequest', async (request, reply) => {
    for (const guard of isByBearer(request) ? key : session) await guard(request, reply)
  })
}

/** A service key that works, and what it holds. It travels in no cookie, so no page can make a browser send it. */
export function keyGuard(keys: KeyReads, settled: Settled): Guard {
  return async request => {
    const credential = presentedKey(request)
    const judged = judgeKey(credential, await keys.find(credential.id))
    if ('refused' in judged) {
      // Perhaps by this very request, sent once before: a key may revoke itself.
      if (mayChange(request) && judged.refused === 'revoked') await settled()
      throw keyRefusal(request, judged.refused)
    }
    recordKey(request, judged.key)
    request.authority = authorityOfKey(judged.key)
  }
}

/** What the user of the session before it holds now. */
export function userGuard(authorities: AuthorityStore): Guard {
  return async request => {
    const user = principalOf(request)
    request.caller = { user }
    request.authority = await authorities.ofUser(user.user)
  }
}

/** A route of this context that does not say what it needs is refused when it is registered. */
export function requireAuthority(
  app: FastifyInstance,
  {
    refused,
    throttle,
    settled,
  }: {
    readonly refused: RecordRefusal
    readonly throttle: Pick<Throttle, 'admin' | 'adminFailed'>
    readonly settled: Settled
  },
): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.needs) throw new Error(`${method} ${url} does not say what its caller must hold`)
  })
  const judge = async (request: FastifyRequest, held: Authority, confirmed?: Settled): Promise<void> => {
    const { needs, url } = request.routeOptions.config as { needs?: Needs; url?: string }
    if (needs?.(held, request.params as { tenant: TenantId })) return
    // Who took their own authority away, and asks once more, is told so when that is confirmed.
    if (confirmed && mayChange(request)) await confirmed()
    const caller = callerOf(request)
    const { user: actor, ...more } = actorOf(caller, contextOf(request))
    await refused({
      action: 'admin.request',
      reason: 'forbidden',
      actor,
      ...more,
      ...('user' in caller && { session: caller.user.session }),
      subject: `${request.method} ${url ?? ''}`,
    })
    throw new Problem('forbidden')
  }
  app.addHook('onRequest', async request => {
    const { authority } = request
    if (!authority) throw new Error('this route is not registered in the admin context')
    await throttle.admin(callerId(callerOf(request)))
    await judge(request, authority, settled)
    request.judgeAuthority = held => judge(request, held)
  })
  // What we could not judge costs its caller nothing. An authority is known, so it has paid.
  app.addHook('onResponse', async ({ caller, authority }, { statusCode }) => {
    if (caller && authority && statusCode >= 500) await throttle.adminFailed(callerId(caller))
  })
}

export function callerOf({ caller }: FastifyRequest): Caller {
  if (!caller) throw new Error('this route is not registered in the admin context')
  return caller
}

/** Who does it, by what they may, and under which Idempotency-Key. */
export function adminActor(request: FastifyRequest): Actor {
  const actor = { ...actorOf(callerOf(request), contextOf(request)), authorized: authorizedBy(request) }
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string' || request.method !== 'POST') return actor
  if (!/^[\x21-\x7e]{1,100}$/.test(key))
    throw new Problem('invalid_request', {
      detail: 'An Idempotency-Key must be 1 to 100 printable characters without spaces.',
    })
  const asked = JSON.stringify([request.method, request.url, request.body])
  const requestHash = createHash('sha256').update(asked).digest()
  return { ...actor, idempotency: { caller: callerId(callerOf(request)), key, requestHash } }
}

function authorizedBy(request: FastifyRequest): Authorized {
  const { judgeAuthority, params } = request
  const caller = callerOf(request)
  const { tenant } = params as { readonly tenant?: TenantId }
  return {
    caller: 'service' in caller ? { serviceKey: caller.service.id } : sessionCaller(request),
    ...(tenant !== undefined && { tenant }),
    async judge(held) {
      if (!held) throw await keyRefusal(request, 'revoked')
      if (!judgeAuthority) throw new Error('this route is not registered in the admin context')
      await judgeAuthority(held)
      return held
    },
  }
}
