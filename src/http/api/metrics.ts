/** For Prometheus, on the listener of the probes only: what it tells is nobody else's business. */
import type { FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'

export function metricsRoute(registry: Registry): FastifyPluginAsync {
  return async app => {
    app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
      reply.type(registry.contentType).send(await registry.metrics()),
    )
  }
}
