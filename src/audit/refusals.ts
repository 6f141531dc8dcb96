/** Refusals on their way into the audit log: a bounded queue, written in batches, for which only the refused ever wait. */
import { setTimeout as pause } from 'node:timers/promises'
import { Outage } from '../core/errors.js'
import type { AuditEvent, AuditLog, RecordRefusal } from './events.js'

/** Rows that have not been written yet. About 5 MB. */
const mostQueued = 10_000
/** Callers that wait for a place among them. */
const mostWaiting = 1000
/** Milliseconds that they wait. */
const patienceMs = 5000
/** Rows of one statement. */
const batchRows = 200
/** Milliseconds until a batch is tried again that Postgres did not take. */
const retryMs = 1000

export interface RefusalParts {
  /** On a connection of its own. */
  readonly audit: Pick<AuditLog, 'record'>
  /** Counts one more against anybody who is refused. Throws for a caller who is refused too often. */
  readonly throttle: {
    refused(caller: string | undefined, address: string, work: () => Promise<void>): Promise<void>
  }
  readonly log: Record<'warn' | 'error', (about: object, message: string) => void>
  readonly metrics: { background(job: 'audit', outcome: 'done' | 'failed', times: number): void }
}

export interface Refusals {
  readonly record: RecordRefusal
  /** Rows and callers that wait. */
  queued(): number
  /** Resolves when all is written, or after `limitMs`; what is left then is counted as failed. */
  close(limitMs: number): Promise<void>
}

interface Waiting {
  readonly event: AuditEvent
  readonly enter: () => void
}

/**
 * While the process lives and Postgres answers no row is lost, and no caller's refusals cost another caller anything:
 * one statement at a time writes whatever came meanwhile. Where they come faster than Postgres takes them, the answers
 * of those who are refused wait, and then are 503.
 */
export function createRefusals({ audit, throttle, log, metrics }: RefusalParts): Refusals {
  const queue: AuditEvent[] = []
  const waiting = new Set<Waiting>()
  let writing: Promise<void> | undefined

  function enqueue(event: AuditEvent): void | Promise<void> {
    if (queue.length >= mostQueued) return placeFor(event)
    queue.push(event)
    writing ??= writeAll()
  }

  function placeFor(event: AuditEvent): Promise<void> {
    if (waiting.size >= mostWaiting)
      throw new Outage('nothing', 'too many denied requests are waiting to be recorded in the audit log')
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(one)
        reject(new Outage('nothing', 'a denied request could not be recorded in the audit log in time'))
      }, patienceMs)
      const enter = () => {
        clearTimeout(timer)
        resolve()
      }
      const one = { event, enter }
      waiting.add(one)
    })
  }

  async function writeAll(): Promise<void> {
    // Of a batch that Postgres refused, each row by itself: one that it never takes does not hold up the others.
    let alone = 0
    while (queue.length > 0) {
      const batch = queue.slice(0, alone > 0 ? 1 : batchRows)
      const answer = await write(batch)
      if (answer === 'later') await pause(retryMs)
      else if (answer === 'refused' && batch.length > 1) alone = batch.length
      else {
        queue.splice(0, batch.length)
        alone = Math.max(0, alone - 1)
        letIn()
      }
    }
    writing = undefined
  }

  function letIn(): void {
    for (const one of waiting) {
      if (queue.length >= mostQueued) return
      waiting.delete(one)
      queue.push(one.event)
      one.enter()
    }
  }

  async function write(batch: readonly AuditEvent[]): Promise<'written' | 'later' | 'refused'> {
    try {
      await audit.record(batch)
      metrics.background('audit', 'done', batch.length)
      return 'written'
    } catch (error) {
      if (error instanceof Outage) {
        log.warn(
          { outage: error.message, rows: queue.length },
          'denied requests are not yet recorded in the audit log',
        )
        return 'later'
      }
      if (batch.length === 1) lost(1, error)
      return 'refused'
    }
  }

  function lost(rows: number, error: unknown): void {
    metrics.background('audit', 'failed', rows)
    log.error({ err: error, rows }, 'denied requests were not recorded in the audit log')
  }

  return {
    async record({ actor, ...event }) {
      const { session, serviceKey, context } = event
      const caller = serviceKey ?? (session && (actor ?? session))
      await throttle.refused(caller, context.address ?? '', async () =>
        enqueue({ ...event, outcome: 'refused', ...(actor && { actor }) }),
      )
    },

    queued: () => queue.length + waiting.size,

    async close(limitMs) {
      await Promise.race([writing, pause(limitMs, undefined, { ref: false })])
      const left = queue.splice(0).length
      if (left > 0) lost(left, new Outage('nothing', 'Postgres did not accept them before shutdown'))
    },
  }
}
