/** Probes: /healthz says that the process runs, /readyz that it can serve. */
import type { FastifyPluginAsync } from 'fastify'

export interface Health {
  /** Throws when the primary cannot be asked. */
  askPrimary(): Promise<{ readonly takesWrites: boolean }>
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
        const { takesWrites } = await health.askPrimary()
        if (!takesWrites) return reply.code(503).send({ status: 'postgres takes no writes' })
        return reply.send({ status: 'ready', redis: health.redis() })
      } catch {
        return reply.code(503).send({ status: 'postgres unreachable' })
      }
    })
  }
}
