/** One deadline a request: whatever its parts wait for, one after the other, it is answered by then. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Outage } from '../../core/errors.js'
import { mayChange } from './signed-in.js'

/** Milliseconds of our own: that the body arrives takes no part in them. Each part has a deadline below it. */
export const mostAnsweringMs = 10_000

/**
 * What is under way then ends by deadlines of its own, and nobody hears of it; so a change is not known to be made.
 * Kept here and not handed from part to part: it holds for what waits for a provider, a hash or Redis, too.
 */
export function answerInTime(app: FastifyInstance, mostMs: number): void {
  const timers = new WeakMap<FastifyRequest, { readonly begun: number; readonly timer: NodeJS.Timeout }>()
  const left = new WeakMap<FastifyRequest, number>()

  const pause = (request: FastifyRequest) => {
    const running = timers.get(request)
    if (!running) return
    clearTimeout(running.timer)
    timers.delete(request)
    left.set(request, (left.get(request) ?? mostMs) - (performance.now() - running.begun))
  }
  app.addHook('onRequest', async (request, reply) => run(request, reply))
  app.addHook('preParsing', async request => pause(request))
  app.addHook('preValidation', async (request, reply) => run(request, reply))
  app.addHook('onResponse', async request => pause(request))
  app.addHook('onRequestAbort', async request => pause(request))

  function run(
    request: FastifyRequest,
    reply: { readonly sent: boolean; send(error: Error): unknown },
  ): void {
    const timer = setTimeout(
      () => {
        const outcome = mayChange(request) ? 'unknown' : 'nothing'
        if (!reply.sent) reply.send(new Outage(outcome, `the request was not answered in ${mostMs} ms`))
      },
      Math.max(0, left.get(request) ?? mostMs),
    )
    timers.set(request, { begun: performance.now(), timer: timer.unref() })
  }
}
