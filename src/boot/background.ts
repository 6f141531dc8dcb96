/** Work that goes on after an answer: kept track of, so that a shutdown waits for it and a failure is logged. */

import type { FastifyBaseLogger } from 'fastify'
import type { InBackground } from '../core/background.js'
import type { Metrics } from '../http/middleware/metrics.js'

/** Jobs of one name that are not done yet. One over it is dropped: callers must not fill the memory. */
const mostUnderWay = 10_000

export interface Background {
  readonly run: InBackground
  /** Resolves when nothing is under way, or after `limitMs`. */
  drain(limitMs: number): Promise<void>
}

export function createBackground(log: FastifyBaseLogger, metrics: Metrics): Background {
  const underWay = new Set<Promise<void>>()
  const counts = new Map<string, number>()
  const count = (name: string) => counts.get(name) ?? 0
  return {
    run(name, work) {
      if (count(name) >= mostUnderWay) {
        metrics.background(name, 'dropped')
        log.error({ job: name }, 'background work dropped: too many jobs are waiting')
        return
      }
      counts.set(name, count(name) + 1)
      const job: Promise<void> = work()
        .then(
          () => metrics.background(name, 'done'),
          error => {
            metrics.background(name, 'failed')
            log.error({ err: error, job: name }, 'background work failed')
          },
        )
        .finally(() => {
          underWay.delete(job)
          counts.set(name, count(name) - 1)
        })
      underWay.add(job)
    },
    async drain(limitMs) {
      const limit = new Promise(resolve => setTimeout(resolve, limitMs).unref())
      await Promise.race([Promise.all(underWay), limit])
    },
  }
}
