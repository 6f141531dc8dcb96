/** Probes: /healthz says that the process runs, /readyz that it can serve. */
import type { FastifyPluginAsync } from 'fastify'

export interface Health {
  /** Throws when the truth cannot be asked. */
  askTruth(): Promise<void>
  /** The service is shutting down: no new work should be sent here. */
  readonly closing: boolean
  /** Undefined where no Redis is configured. Its absence never makes an instance unready. */
  redis(): 'connected' | 'away' | undefined
}

export function healthRoutes(health: Health): FastifyPluginAsync {
  return async app => {
    app.get('/healthz', { schema: { hide: true } }, async (_request, reply) => reply.send({ status: 'ok' }))

    app.get('/readyz', { schema: { hide: true } }, async (_request, reply) => {
      if (health.closing) return reply.code(503).send({ status: 'closing' })
      try {
        await health.askTruth()
        return reply.send({ status: 'ready', redis: health.redis() })
      } catch {
        return reply.code(503).send({ status: 'postgres unreachable' })
      }
    })
  }
}
