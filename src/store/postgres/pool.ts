/**
 * A pool of connections, each for one transaction at a time, and thrown away at the first sign of trouble: what the
 * driver would still send or try again on it must not get into the next one.
 */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { Outage } from '../../core/errors.js'
import { nonsense, Sent } from './answer.js'
import { asFault, type ClientOptions, connect, type Sql } from './connection.js'
import * as schema from './schema/tables.js'
import { requireSettings, settingsFor } from './session-settings.js'

export type Queries = Pick<
  PostgresJsDatabase<typeof schema>,
  'select' | 'insert' | 'update' | 'delete' | 'execute'
>

/** Postgres refuses to write in one that reads. */
export type Kind = 'reads' | 'changes'

/**
 * Postgres lets a COMMIT wait for a synchronous standby only behind a record that its own transaction has written. A
 * change that found its work done already writes none, and would be confirmed though what it found is on the primary
 * alone. So each writes this one. Always: a DELETE that waited for a row until another one had deleted it has a
 * transaction id and no record, and nothing tells that apart.
 */
const mark = "select pg_logical_emit_message(true, 'mintmark', '')"

/** One connection and what has become of it. */
class Connection {
  readonly db: Queries
  readonly #client: Sql
  readonly #options: ClientOptions
  #checked = false
  #gone = false
  #warnings = 0

  constructor(options: ClientOptions) {
    this.#options = options
    this.#client = connect(options, {
      closed: () => this.drop(),
      warned: () => {
        this.#warnings++
      },
    })
    // Drizzle has a statement sent by `unsafe`, and no more than that gets to it.
    const { options: its } = this.#client
    const unsafe = (...statement: Parameters<Sql['unsafe']>) => this.#send(...statement)
    this.db = drizzle({ unsafe, options: its } as unknown as Sql, { schema })
  }

  /** Nothing is sent on it any more. */
  get gone(): boolean {
    return this.#gone
  }

  get warnings(): number {
    return this.#warnings
  }

  async begin(kind: Kind): Promise<void> {
    if (!this.#checked) await this.#check()
    const { command } = await this.#send(kind === 'reads' ? 'begin read only' : 'begin')
    if (command !== 'BEGIN') throw nonsense()
  }

  /** Nothing else is sent on a new connection before it is known to be as it was asked for. */
  async #check(): Promise<void> {
    try {
      await requireSettings(this.#client, settingsFor(this.#options.deadlines, this.#options.settings))
      this.#checked = true
    } catch (error) {
      this.drop()
      throw error
    }
  }

  async commit(kind: Kind): Promise<void> {
    // Sent together, in this order: a record of its own costs a change no round trip.
    const statements = kind === 'reads' ? ['commit'] : [mark, 'commit']
    const answers = await Promise.all(statements.map(one => this.#send(one)))
    const command = answers.at(-1)?.command
    // What Postgres answers when a statement had failed and nobody heard of it.
    if (command === 'ROLLBACK') throw new Error('a transaction ended with ROLLBACK')
    if (command !== 'COMMIT') throw nonsense('unknown')
  }

  /** Whether it works on, and its answers are those to what was asked last. */
  async rollback(): Promise<boolean> {
    const { command } = await this.#send('rollback')
    return command === 'ROLLBACK'
  }

  /** Nothing is cancelled: a cancelled COMMIT may have been made. The server rolls back what was not committed. */
  drop(): void {
    if (this.#gone) return
    this.#gone = true
    void this.#client.end({ timeout: 0 })
  }

  async close(): Promise<void> {
    this.#gone = true
    await this.#client.end({ timeout: 1 })
  }

  /** A statement that begins after the connection is lost would be sent on another one, outside of its transaction. */
  #send(...statement: Parameters<Sql['unsafe']>): Sent {
    if (this.#gone) throw new Outage('nothing', 'the connection to Postgres was lost')
    return new Sent(this.#client.unsafe(...statement))
  }
}

export class Pool {
  readonly #options: ClientOptions
  readonly #most: number
  readonly #idle: Connection[] = []
  readonly #waiting: ((connection: Connection) => void)[] = []
  #busy = 0
  #closed = false

  constructor(options: ClientOptions, connections: number) {
    this.#options = options
    this.#most = connections
  }

  /** Transactions that are under way or wait for a connection. */
  get pending(): number {
    return this.#busy + this.#waiting.length
  }

  /**
   * One transaction, answered by `until` (`performance.now()`). Whatever fails before COMMIT was sent has done nothing;
   * from then on its outcome is unknown, also when it comes back with a warning: a COMMIT whose wait for a standby was
   * cancelled returns success.
   */
  async transaction<T>(kind: Kind, work: (db: Queries) => PromiseLike<T>, until: number): Promise<T> {
    const connection = await this.#take(until)
    let outcome = 'nothing' as 'nothing' | 'unknown'
    const run = async (): Promise<T> => {
      await connection.begin(kind)
      const answer = await work(connection.db)
      outcome = 'unknown'
      const { warnings } = connection
      await connection.commit(kind)
      if (connection.warnings !== warnings)
        throw new Outage('unknown', 'Postgres sent a warning during COMMIT')
      return answer
    }
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => {
          connection.drop()
          reject(new Outage(outcome, 'Postgres did not answer in time'))
        },
        Math.max(0, until - performance.now()),
      )
    })
    const running = run()
    try {
      return await Promise.race([running, deadline])
    } catch (error) {
      running.catch(() => {})
      // Only what ended before COMMIT, on a connection that still works, can be rolled back and go on.
      if (outcome === 'unknown') connection.drop()
      else if (!connection.gone && !(await connection.rollback().catch(() => false))) connection.drop()
      throw asFault(error, outcome)
    } finally {
      clearTimeout(timer)
      this.#giveBack(connection)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#idle.splice(0).map(connection => connection.close()))
  }

  #take(until: number): Promise<Connection> {
    if (this.#closed) throw new Outage('nothing', 'the pool is closed')
    if (this.#busy < this.#most) {
      this.#busy++
      return Promise.resolve(this.#fresh())
    }
    return new Promise((resolve, reject) => {
      const taker = (connection: Connection) => {
        clearTimeout(timer)
        resolve(connection)
      }
      const timer = setTimeout(
        () => {
          this.#waiting.splice(this.#waiting.indexOf(taker), 1)
          reject(new Outage('nothing', 'no connection to Postgres became free in time'))
        },
        Math.max(0, until - performance.now()),
      )
      this.#waiting.push(taker)
    })
  }

  #giveBack(connection: Connection): void {
    const taker = this.#waiting.shift()
    if (taker) {
      taker(connection.gone ? this.#fresh() : connection)
      return
    }
    this.#busy--
    if (this.#closed) void connection.close()
    else if (!connection.gone) this.#idle.push(connection)
  }

  /** One that is idle and was not lost meanwhile, or a new one. */
  #fresh(): Connection {
    for (;;) {
      const connection = this.#idle.pop()
      if (!connection) return new Connection(this.#options)
      if (!connection.gone) return connection
    }
  }
}
