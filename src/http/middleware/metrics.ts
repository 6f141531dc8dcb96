/** What is counted and measured, for Prometheus. No label names a user, an address or a session. */
import type { FastifyInstance } from 'fastify'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { VerifierCounts } from '../../feed/counts.js'

/** Read when Prometheus asks. */
export interface Gauges {
  /** Password hashes that wait for their turn. */
  readonly hashesQueued: () => number
  /** Refusals that are not in the audit log yet. */
  readonly refusalsQueued: () => number
  /** Statements that wait for their answer, hot and ordinary. */
  readonly statementsPending: () => number
  /** Seconds since the signing key began to sign. */
  readonly signingKeyAgeSeconds: () => number
  /** Undefined where no Redis is configured. */
  readonly redisConnected: () => boolean | undefined
  /** Of the revocation feed: see `FeedState`. */
  readonly feed: () => Readonly<Record<FeedGauge, number | undefined>>
  /** Undefined before they were read. */
  readonly verifiers: () => VerifierCounts | undefined
}

const feedGauges = {
  feed_head: 'The last position of the revocation feed that this instance has read',
  feed_entries: 'Entries of the revocation feed in memory',
  feed_readers: 'Readers of the revocation feed that wait for news',
  feed_age_seconds:
    'Seconds since the last look into the revocation feed that succeeded, while anybody reads it',
  feed_tick_seconds: 'Seconds that the last look into the revocation feed took',
} as const
export type FeedGauge = keyof typeof feedGauges

export interface Metrics {
  readonly registry: Registry
  /** `outcome` is `opened` or the reason of the refusal. */
  signIn(outcome: string): void
  /** `outcome` is `minted` or the reason of the refusal. */
  mint(outcome: string): void
  sessionRefused(reason: string): void
  throttled(limit: string): void
  /** A verifier has shown a message of ours that this database does not know. */
  feedForked(): void
  /** Rows that clean-up removed. */
  cleaned(table: string, rows: number): void
  background(job: string, outcome: 'done' | 'failed' | 'dropped', count?: number): void
  /** Every request of this app, by its route (never its path), method and status. */
  observe(app: FastifyInstance): void
}

/** `linesDropped` is read when Prometheus asks: how many lines the log has dropped so far. */
export function createMetrics(linesDropped: () => number = () => 0): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name: `mintmark_${name}`, help, labelNames, registers })

  const requests = new Histogram({
    name: 'mintmark_request_duration_seconds',
    help: 'Requests by route, method and status',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  })
  const signIns = counter('sign_ins_total', 'Sign-ins by outcome', 'outcome')
  const mints = counter('mints_total', 'Token requests by outcome', 'outcome')
  const refused = counter('sessions_refused_total', 'Rejected session cookies, by reason', 'reason')
  const throttled = counter('throttled_total', 'Attempts rejected by a rate limit, by limit', 'limit')
  const cleaned = counter('cleaned_rows_total', 'Expired rows that clean-up removed, by table', 'table')
  const forked = counter('feed_forked_total', 'Verifiers that remember revocations that the database lacks')
  const jobs = counter(
    'background_total',
    'Background jobs (mail, audit), by job and outcome',
    'job',
    'outcome',
  )
  new Counter({
    name: 'mintmark_log_lines_dropped_total',
    help: 'Log lines dropped because the log was not read fast enough',
    registers,
    collect() {
      this.reset()
      this.inc(linesDropped())
    },
  })

  return {
    registry,
    signIn: outcome => signIns.inc({ outcome }),
    mint: outcome => mints.inc({ outcome }),
    sessionRefused: reason => refused.inc({ reason }),
    throttled: limit => throttled.inc({ limit }),
    feedForked: () => forked.inc(),
    cleaned: (table, rows) => cleaned.inc({ table }, rows),
    background: (job, outcome, count = 1) => jobs.inc({ job, outcome }, count),
    observe(app) {
      // Looking a series up by its labels costs more than counting in it.
      const known = new Map<string, ReturnType<typeof requests.labels>>()
      app.addHook('onResponse', async ({ method, routeOptions }, { statusCode, elapsedTime }) => {
        const route = routeOptions.url ?? 'none'
        const key = `${method} ${route} ${statusCode}`
        let series = known.get(key)
        if (!series) {
          series = requests.labels({ route, method, status: String(statusCode) })
          known.set(key, series)
        }
        series.observe(elapsedTime / 1000)
      })
    },
  }
}

export function addGauges(registry: Registry, gauges: Gauges): void {
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      name: `mintmark_${name}`,
      help,
      registers: [registry],
      collect() {
        const value = read()
        if (value === undefined) this.remove()
        else this.set(value)
      },
    })
  gauge('hashes_queued', 'Password hashes waiting for their turn', gauges.hashesQueued)
  gauge('refusals_queued', 'Denied requests not yet recorded in the audit log', gauges.refusalsQueued)
  gauge('statements_pending', 'Statements waiting for Postgres', gauges.statementsPending)
  gauge('signing_key_age_seconds', 'Seconds since the signing key began to sign', gauges.signingKeyAgeSeconds)
  for (const name of Object.keys(feedGauges) as FeedGauge[])
    gauge(name, feedGauges[name], () => gauges.feed()[name])
  gauge('feed_lag_entries', 'Entries that the last of the verifiers that follow now has not applied', () => {
    return gauges.verifiers()?.lag
  })
  new Gauge({
    name: 'mintmark_feed_verifiers',
    help: 'Verifiers that reported within a day, by mode and by what is known of them at the head of the feed',
    labelNames: ['mode', 'state'],
    registers: [registry],
    collect() {
      for (const { count, ...labels } of gauges.verifiers()?.counts ?? []) this.set(labels, count)
    },
  })
  gauge('redis_connected', '1 while Redis answers, 0 otherwise', () => {
    const connected = gauges.redisConnected()
    return connected === undefined ? undefined : Number(connected)
  })
}
