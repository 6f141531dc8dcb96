/** One deadline a request: whatever its parts wait for, one after the other, it is answered by then. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Outage } from '../../core/errors.js'
import { mayChange } from './signed-in.js'

/** Milliseconds of our own: that the body arrives takes no part in them. Each part has a deadline below it. */
export const mostAnsweringMs = 10_000

interface Running {
  readonly reply: FastifyReply
  /** Milliseconds of its own before its clock was stopped. */
  spent: number
  /** When its clock was started again; undefined while its body arrives. */
  since: number | undefined
}

/**
 * What is under way then ends by deadlines of its own, and nobody hears of it; so a change is not known to be made.
 * Kept here and not handed from part to part: it holds for what waits for a provider, a hash or Redis, too. One timer
 * looks at all requests: one for each would cost a twentieth of a mint.
 */
export function answerInTime(app: FastifyInstance, mostMs: number): void {
  const running = new Map<FastifyRequest, Running>()
  const end = (request: FastifyRequest) => void running.delete(request)

  app.addHook('onRequest', (request, reply, done) => {
    running.set(request, { reply, spent: 0, since: performance.now() })
    done()
  })
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const one = running.get(request)
    if (one?.since !== undefined) {
      one.spent += performance.now() - one.since
      one.since = undefined
    }
    done(null, payload)
  })
  app.addHook('preValidation', (request, _reply, done) => {
    const one = running.get(request)
    if (one) one.since = performance.now()
    done()
  })
  // Its work is done. What an answer waits for now has a bound of its own, and cannot make it unknown.
  app.addHook('onSend', (request, _reply, payload, done) => {
    end(request)
    done(null, payload)
  })
  app.addHook('onResponse', (request, _reply, done) => {
    end(request)
    done()
  })
  app.addHook('onRequestAbort', (request, done) => {
    end(request)
    done()
  })

  const timer = setInterval(answerLate, Math.min(250, mostMs / 10)).unref()
  app.addHook('onClose', async () => clearInterval(timer))

  function answerLate(): void {
    const now = performance.now()
    for (const [request, { reply, spent, since }] of running) {
      if (since === undefined || spent + now - since < mostMs) continue
      end(request)
      const outcome = mayChange(request) ? 'unknown' : 'nothing'
      if (!reply.sent) reply.send(new Outage(outcome, `the request was not answered in ${mostMs} ms`))
    }
  }
}
