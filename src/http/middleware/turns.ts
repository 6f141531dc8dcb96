/** How many requests of one caller are under way at once: more of them wait for each other, and for nobody else. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createSemaphores } from '../../accounts/semaphores.js'
import { Problem } from './problem.js'

declare module 'fastify' {
  interface FastifyRequest {
    endTurn: (() => void) | undefined
  }
}

/** Each may hold one of the ten connections to Postgres, as long as it waits there for a lock: most stay for others. */
const mostAtOnce = 4
const mostWaiting = 100

export type Turns = ReturnType<typeof createTurns>

/** Shared by the contexts of a service: a caller has one share of all of them. */
export function createTurns() {
  const acquire = createSemaphores(mostAtOnce, mostWaiting)

  /** For a context in which it is known who calls: from when its body has been read until its work is done. */
  return function takeTurns(app: FastifyInstance, callerOf: (request: FastifyRequest) => string): void {
    app.addHook('preHandler', async (request, reply) => {
      const endTurn = await acquire(callerOf(request))
      if (endTurn === 'full') throw new Problem('busy', { retryAfterSeconds: 1 })
      request.endTurn = endTurn
      // Anybody who has hung up meanwhile wants it no more.
      if (reply.raw.destroyed) throw new Problem('request_timeout')
    })
    // Once the work is done, whether or not anybody is there to hear of it.
    app.addHook('onSend', async request => request.endTurn?.())
  }
}
