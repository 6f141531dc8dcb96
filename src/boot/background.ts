/** Work that goes on after an answer: kept track of, so that a shutdown waits for it and a failure is logged. */

import { randomInt } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { InBackground } from '../core/background.js'
import type { Metrics } from '../http/middleware/metrics.js'

/** Jobs of one name that are not done yet. One over it is dropped: callers must not fill the memory. */
const mostUnderWay = 10_000

/** Milliseconds. Requests right after an answer seldom meet its work, and nobody waits long for a mail. */
const unnoticedWithin = 500

export interface Background {
  readonly run: InBackground
  /**
   * Starts at a random time within half a second, the same whatever the work is. What the client sends next on its
   * connection is not slowed by the work, so its time does not say whether there was any.
   */
  readonly unnoticed: InBackground
  /** Resolves when nothing is under way, or after `limitMs`. */
  drain(limitMs: number): Promise<void>
}

export function createBackground(
  log: FastifyBaseLogger,
  metrics: Metrics,
  unnoticedWithinMs = unnoticedWithin,
): Background {
  const underWay = new Set<Promise<void>>()
  const counts = new Map<string, number>()
  const count = (name: string) => counts.get(name) ?? 0
  /** Each starts its work at once. */
  const delayed = new Set<() => void>()
  let draining = false

  function delay(): Promise<void> {
    if (draining) return Promise.resolve()
    return new Promise(resolve => {
      const start = () => {
        clearTimeout(timer)
        delayed.delete(start)
        resolve()
      }
      const timer = setTimeout(start, randomInt(unnoticedWithinMs + 1))
      delayed.add(start)
    })
  }

  const background: Background = {
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
    unnoticed(name, work) {
      background.run(name, async () => {
        await delay()
        await work()
      })
    },
    async drain(limitMs) {
      draining = true
      for (const start of delayed) start()
      const limit = new Promise(resolve => setTimeout(resolve, limitMs).unref())
      await Promise.race([Promise.all(underWay), limit])
    },
  }
  return background
}
