/** Everything but the hot reads: whatever it does is a transaction on the trusted primary, under one deadline. */
import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { Outage } from '../../errors.js'
import type { Address } from './connection.js'
import { assertTrusted, type LineageRow, lineageStatement } from './lineage.js'
import { Pool, type Queries } from './pool.js'

export type { Queries } from './pool.js'

/** Milliseconds: a lock is waited for 2 s, a statement runs 3 s, and a caller is answered within 5 s. */
const deadlines = { lock: 2000, statement: 3000, connect: 3000, caller: 5000 }

/** Of a transaction that loses to another one: a deadlock or a serialization failure (SQLSTATE class 40). */
const mostTries = 4

/** Thrown in a transaction: nothing is committed, and this is its answer. */
export class Abandon<T> extends Error {
  readonly answer: T

  constructor(answer: T) {
    super('abandoned')
    this.answer = answer
  }
}

export interface DatabaseOptions {
  readonly connections?: number
  /** Only for the command that records another lineage. */
  readonly anyLineage?: boolean
}

type Lineage = LineageRow & Record<string, unknown>

export class Database {
  readonly #pool: Pool
  readonly #anyLineage: boolean

  constructor(address: Address, { connections = 10, anyLineage = false }: DatabaseOptions = {}) {
    this.#pool = new Pool({ address, deadlines }, connections)
    this.#anyLineage = anyLineage
  }

  /** Changes nothing: when it fails, nothing has happened. */
  async read<T>(work: (tx: Queries) => PromiseLike<T>): Promise<T> {
    try {
      return await this.transaction(work)
    } catch (error) {
      throw error instanceof Outage ? new Outage('nothing', error.message) : error
    }
  }

  /**
   * READ COMMITTED: each statement sees what was committed before it began. `work` may run again when Postgres ended
   * it for another's sake (nothing of it was committed), and may throw `Abandon` to commit nothing and answer that.
   */
  async transaction<T>(work: (tx: Queries) => PromiseLike<T>): Promise<T> {
    const until = performance.now() + deadlines.caller
    for (let tries = 1; ; tries++) {
      try {
        return await this.#pool.transaction(async tx => {
          if (!this.#anyLineage) assertTrusted((await tx.execute<Lineage>(sql.raw(lineageStatement)))[0])
          return work(tx)
        }, until)
      } catch (error) {
        if (error instanceof Abandon) return error.answer as T
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
