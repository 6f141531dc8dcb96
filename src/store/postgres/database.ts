/** Everything but the hot reads: whatever it does is a transaction on the trusted primary, under one deadline. */
import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { Outage } from '../../core/errors.js'
import { type ClusterIdentityRow, clusterStatement, Trust } from './cluster-identity.js'
import type { Address } from './connection.js'
import { type Kind, Pool, type Queries } from './pool.js'

export type { Queries } from './pool.js'

/** Milliseconds: a lock is waited for 2 s, a statement runs 3 s, and a caller is answered within 5 s. */
const deadlines = { lock: 2000, statement: 3000, connect: 3000, caller: 5000 }

/** Of a transaction that loses to another one: a deadlock or a serialization failure (SQLSTATE class 40). */
const mostTries = 4

/** Thrown in a transaction: nothing of it is committed, and this is its answer. */
export class Abandon<T> extends Error {
  readonly answer: T

  constructor(answer: T) {
    super('abandoned')
    this.answer = answer
  }
}

export interface DatabaseOptions {
  readonly connections?: number
  /** Of the process, where it has connections of other kinds, or remembers what was trusted before it began. */
  readonly trust?: Trust
  /** Hears of each change that was committed here. */
  readonly committed?: () => void
  /** Only for the command that records another cluster identity. */
  readonly anyCluster?: boolean
}

type ClusterIdentity = ClusterIdentityRow & Record<string, unknown>

export class Database {
  readonly #pool: Pool
  readonly #trust: Trust | undefined
  readonly #committed: () => void

  constructor(
    address: Address,
    { connections = 10, trust = new Trust(), anyCluster = false, committed = () => {} }: DatabaseOptions = {},
  ) {
    this.#committed = committed
    this.#pool = new Pool({ address, deadlines }, connections)
    this.#trust = anyCluster ? undefined : trust
  }

  /** Changes nothing, which Postgres sees to: when it fails, nothing has happened. */
  async read<T>(work: (tx: Queries) => PromiseLike<T>): Promise<T> {
    try {
      return await this.#run('reads', work)
    } catch (error) {
      throw error instanceof Outage ? new Outage('nothing', error.message) : error
    }
  }

  /**
   * READ COMMITTED: each statement sees what was committed before it began. `work` may run again when Postgres ended
   * it for another's sake (nothing of it was committed), and may throw `Abandon` to commit nothing and answer that.
   * Whatever the answer, it rests on nothing that a fail-over to a synchronous standby could take back, though the
   * work was found done already: a commit that was not confirmed is visible once its server has crashed.
   */
  async transaction<T>(work: (tx: Queries) => PromiseLike<T>): Promise<T> {
    try {
      return await this.#run('changes', work)
    } finally {
      // Where it is not known whether it was committed, it may have been.
      this.#committed()
    }
  }

  /** For an answer to a change that rests on what was read alone: resolves once that is confirmed. */
  settled(): Promise<void> {
    return this.#run('changes', async () => {})
  }

  async #run<T>(kind: Kind, work: (tx: Queries) => PromiseLike<T>): Promise<T> {
    const until = performance.now() + deadlines.caller
    const trusted = async (tx: Queries) => {
      const trust = this.#trust
      if (!trust) return
      const { highest } = trust
      trust.assert((await tx.execute<ClusterIdentity>(sql.raw(clusterStatement)))[0], highest)
    }
    for (let tries = 1; ; tries++) {
      try {
        return await this.#pool.transaction(
          kind,
          async tx => {
            await trusted(tx)
            return work(tx)
          },
          until,
        )
      } catch (error) {
        if (error instanceof Abandon) {
          if (kind === 'changes') await this.#pool.transaction(kind, trusted, until)
          return error.answer as T
        }
        if (!(error instanceof Outage && error.retriable) || tries === mostTries) throw error
        await setTimeout(randomInt(1, 20 * tries))
      }
    }
  }

  /** Calls that wait for an answer now. */
  get pending(): number {
    return this.#pool.pending
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}
