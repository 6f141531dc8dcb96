/** The revocation feed (docs/feed.md): a long poll, and what a verifier sends back after a fork. */
import { randomInt } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { RequestContext } from '../../audit/events.js'
import { judgeKey, type KeyReads } from '../../core/service-key.js'
import { parseCursor } from '../../feed/cursor.js'
import { longestMessage, readEvidence } from '../../feed/evidence.js'
import type { Feed } from '../../feed/feed.js'
import { createPlaces, type Reader } from '../../feed/places.js'
import type { Registry } from '../../feed/registry.js'
import type { KeyRing } from '../../keys/key-ring.js'
import type { VerificationKeys } from '../../keys/verification-keys.js'
import { contextOf } from '../middleware/browser.js'
import { Problem } from '../middleware/problem.js'
import { keyRefusal, presentedKey, recordKey } from '../middleware/service-key.js'
import { Body, Nothing, operation } from '../shapes/schemas.js'

export interface FeedRouteParts {
  readonly issuer: string
  readonly feed: Feed
  readonly verifiers: Registry
  readonly feedPublic: boolean
  readonly feedConnections: number
  readonly callers: KeyReads
  readonly ring: Pick<KeyRing, 'publicKey'>
  readonly keyOf: VerificationKeys
  /** That this database lacks what it once published. */
  readonly forked: (context: RequestContext) => Promise<void>
}

/** Seconds after which somebody who found no place may come again, at random, so that not all come at once. */
const pause = () => randomInt(1, 7)

const forReaders = { security: [{ serviceKey: [] }, {}] }
const refuses = [
  'invalid_service_key',
  'wrong_origin',
  'forbidden',
  'insecure_transport',
  'busy',
  'unavailable',
] as const

const cursor = Type.String({
  pattern: '^(0\\.|[1-9][0-9]{0,14}\\.[A-Za-z0-9_-]{11}|)$',
  description: 'The `to` of the last message that you accepted. Empty or missing: from the beginning.',
})
const wait = Type.String({
  pattern: '^[0-5]$',
  description: 'Seconds that the service may wait for news, 0 to 5.',
})

const v = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: 'A random id of your process. With it, and with a service key, the process is in receipts.',
})
const jwks = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'The `jwks` of the list of keys that the process holds, as in a message.',
})

export function feedRoutes(parts: FeedRouteParts): FastifyPluginAsyncTypebox {
  const { issuer, feed, verifiers, feedPublic, callers, ring, keyOf } = parts
  const enter = createPlaces(parts.feedConnections)

  /** A key that no longer works ends its reading with the next request. */
  async function reader(request: FastifyRequest) {
    const address = request.clientAddress
    if (feedPublic && request.headers.authorization === undefined) return { key: undefined, address }
    const credential = presentedKey(request)
    const judged = judgeKey(credential, await callers.find(credential.id))
    if ('refused' in judged) throw keyRefusal(request, judged.refused)
    recordKey(request, judged.key)
    if (!judged.key.scopes.includes('feed')) throw new Problem('forbidden')
    return { key: judged.key.id, address }
  }

  async function placed<T>(request: FastifyRequest, work: (who: Reader) => Promise<T>): Promise<T> {
    const who = await reader(request)
    const leave = enter(who)
    if (leave === 'full') throw new Problem('busy', { retryAfterSeconds: pause() })
    return work(who).finally(leave)
  }

  return async app => {
    app.get(
      '/v1/feed',
      operation('feed', forReaders, 'readFeed', {
        summary: 'Follow the revocation feed',
        querystring: Type.Object({
          after: Type.Optional(cursor),
          wait: Type.Optional(wait),
          v: Type.Optional(v),
          jwks: Type.Optional(jwks),
        }),
        answers: {
          200: {
            description: 'One or more signed messages, one in a line.',
            content: { 'text/plain': { schema: Type.String() } },
          } as never,
        },
        refuses: [...refuses, 'feed_forked'],
      }),
      async (request, reply) => {
        const { after: place = '', wait = '0', v, jwks } = request.query
        const after = place === '' ? undefined : parseCursor(place)
        if (place !== '' && !after) throw new Problem('invalid_request')
        const answer = await placed(request, ({ key }) => {
          // Strangers have no receipts, and who does not say which process it is cannot be told from another.
          const sighting =
            key === undefined || v === undefined
              ? undefined
              : verifiers.sees({ key, v, jwks, fromBeginning: after === undefined })
          const { applied, left } = sighting ?? {}
          const question = { after, waitMs: Number(wait) * 1000, ...(applied && { applied }) }
          // Nobody waits for who has hung up.
          reply.raw.once('close', () => {
            feed.forget(question)
            if (!reply.raw.writableFinished) left?.()
          })
          return feed.ask(question)
        })
        if (answer === 'forked') throw new Problem('feed_forked')
        return reply
          .header('cache-control', 'no-store')
          .type('text/plain; charset=utf-8')
          .send(answer.messages as never)
      },
    )

    app.post(
      '/v1/feed/fork',
      operation('feed', forReaders, 'reportFeedFork', {
        summary: 'Send back a message that the service no longer knows',
        body: Body({
          message: Type.String({
            maxLength: longestMessage,
            description: 'The last message that you accepted, as it was sent.',
          }),
        }),
        answers: { 204: Nothing('The message was looked at.') },
        refuses: [...refuses, 'body_too_large', 'unsupported_media_type'],
      }),
      async (request, reply) => {
        await placed(request, async () => {
          const found = await readEvidence(request.body.message, issuer, async kid => {
            const jwk = ring.publicKey(kid)
            return jwk && keyOf(jwk)
          })
          if (found && !(await feed.knows(found.generation, found.to))) await parts.forked(contextOf(request))
        })
        return reply.code(204).send(null)
      },
    )
  }
}
