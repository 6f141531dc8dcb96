/** Work that goes on after an answer: kept track of, so that a shutdown waits for it and a failure is logged. */

import type { FastifyBaseLogger } from 'fastify'
import type { Metrics } from './http/metrics.js'
import type { InBackground } from './login/mail.js'

export interface Background {
  readonly run: InBackground
  /** Resolves when nothing is under way, or after `limitMs`. */
  drain(limitMs: number): Promise<void>
}

export function createBackground(log: FastifyBaseLogger, metrics: Metrics): Background {
  const underWay = new Set<Promise<void>>()
  return {
    run(name, work) {
      const job: Promise<void> = work()
        .then(
          () => metrics.background(name, 'done'),
          error => {
            metrics.background(name, 'failed')
            log.error({ err: error, job: name }, 'background work failed')
          },
        )
        .finally(() => underWay.delete(job))
      underWay.add(job)
    },
    async drain(limitMs) {
      const limit = new Promise(resolve => setTimeout(resolve, limitMs).unref())
      await Promise.race([Promise.all(underWay), limit])
    },
  }
}
