/** How Postgres is reached, and what its errors mean: an outage, or a fault of ours. */
import { DrizzleQueryError } from 'drizzle-orm'
import postgres from 'postgres'
import { Outage } from '../../core/errors.js'
import { isAnswer, isUnreachable, nonsense, parsers } from './answer.js'
import { type Deadlines, requireSettings, type Settings, settingsFor } from './session-settings.js'
import { type Address, open, type Sql } from './socket.js'

export type { Address, Sql } from './socket.js'

export interface ClientOptions {
  readonly address: Address
  readonly deadlines: Deadlines
  readonly settings?: Settings
}

/**
 * A connection that many statements share, each by itself, in the order in which they come (pipelining). Past its
 * deadline a caller gets an `Outage`, and the connection is dropped with everything in flight on it.
 */
export class SharedConnection {
  readonly #options: ClientOptions
  #client: Sql
  /** The client on which the settings were read back, and the one on which they are being read. */
  #checked: Sql | undefined
  #checking: { readonly client: Sql; readonly done: Promise<void> } | undefined
  #pending = 0

  constructor(options: ClientOptions) {
    this.#options = options
    this.#client = this.#connect()
  }

  /** Calls that wait for an answer now. */
  get pending(): number {
    return this.#pending
  }

  /**
   * A connection that was lost before the deadline is made anew, once: asking again asks nothing older. So is one that
   * answered what `answers` does not take: what it still has in flight is nobody's. Whatever fails is an `Outage`.
   */
  async run<T>(
    statement: (client: Sql) => PromiseLike<T>,
    answers: (result: T) => boolean = () => true,
  ): Promise<T> {
    const { caller } = this.#options.deadlines
    let client = this.#client
    let late = false
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        late = true
        this.#replace(client)
        reject(new Outage('nothing', `Postgres gave no answer in ${caller} ms`))
      }, caller)
    })
    this.#pending++
    try {
      const result = await Promise.race([this.#send(client, statement), deadline]).catch(error => {
        if (late || error instanceof Outage || client === this.#client) throw error
        client = this.#client
        return Promise.race([this.#send(client, statement), deadline])
      })
      if (answers(result)) return result
      throw nonsense()
    } catch (error) {
      if (!late && !isAnswer(error)) this.#replace(client)
      throw asOutage(error)
    } finally {
      this.#pending--
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    await this.#client.end({ timeout: 1 })
  }

  /** Nothing is sent on a new connection before it is known to be as it was asked for. */
  #send<T>(client: Sql, statement: (client: Sql) => PromiseLike<T>): PromiseLike<T> {
    if (client === this.#checked) return statement(client)
    if (this.#checking?.client !== client) this.#checking = { client, done: this.#check(client) }
    return this.#checking.done.then(() => statement(client))
  }

  async #check(client: Sql): Promise<void> {
    try {
      await requireSettings(client, settingsFor(this.#options.deadlines, this.#options.settings))
      if (client === this.#client) this.#checked = client
    } catch (error) {
      this.#replace(client)
      throw error
    }
  }

  #connect(): Sql {
    const client: Sql = connect(this.#options, { closed: () => this.#replace(client) })
    return client
  }

  #replace(client: Sql): void {
    if (this.#client !== client) return
    this.#client = this.#connect()
    void client.end({ timeout: 0 })
  }
}

export interface ConnectionEvents {
  /**
   * The driver would connect again, and send what it had not sent yet. Nothing may rest on that: anybody who uses a
   * connection throws its client away when this is called.
   */
  readonly closed: () => void
  readonly warned?: () => void
}

/** A client of one connection. */
export function connect({ address, deadlines, settings }: ClientOptions, events: ConnectionEvents): Sql {
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max: 1,
    fetch_types: false,
    types: parsers,
    // A short constant wait between attempts: back within a second after an outage, however long it was.
    backoff: () => 0.1,
    connect_timeout: deadlines.connect / 1000,
    // At the end of a lifetime the driver would make the next connection by itself, and send what waits on it unchecked.
    max_lifetime: null,
    idle_timeout: 0,
    onclose: events.closed,
    onnotice: notice => {
      if (notice.severity_local === 'WARNING' || notice.severity === 'WARNING') events.warned?.()
    },
    connection: settingsFor(deadlines, settings),
  }
  return open(address, options)
}

/**
 * SQLSTATE classes and codes that mean "not now" rather than "wrong": connection (08), resources (53), operator (57),
 * system (58), Postgres itself (XX, F0, 72), another's transaction (40), a login that is refused (28, 3D), a server that is not one to write to (25006),
 * a lock (55P03), a database that takes no connections (55000), a transaction that stood still too long (25P03, 25P04).
 */
const outageStates = /^(08|53|57|58|40|28|3D|72|F0|XX|25006|25P03|25P04|55P03|55000)/

/** A statement that failed for a reason of ours. Carries no parameter, no row and no query: those may be secret. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  readonly sqlState: string
  readonly constraint: string | undefined

  constructor(sqlState: string, message: string, constraint: string | undefined) {
    // Only what is wrong with a statement (class 42) is said without repeating a value.
    super(sqlState.startsWith('42') ? `${sqlState}: ${message}` : sqlState)
    this.sqlState = sqlState
    this.constraint = constraint
  }
}

/**
 * Turns whatever a driver throws into an outage or a fault that may be logged; only our own errors pass. Drizzle's
 * carry the statement's parameters, and those are secret.
 */
export function asFault(error: unknown, outcome: 'nothing' | 'unknown'): unknown {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  if (cause instanceof Outage) return cause
  if (cause instanceof postgres.PostgresError) {
    const { code, message, constraint_name: constraint } = cause
    if (!outageStates.test(code)) return new DatabaseFault(code, message, constraint)
    return new Outage(outcome, `Postgres: ${code} ${message}`, { retriable: code.startsWith('40') })
  }
  if (isUnreachable(cause)) return new Outage(outcome, `Postgres: ${(cause as NodeJS.ErrnoException).code}`)
  return error instanceof DrizzleQueryError
    ? new DatabaseFault('unknown', 'a statement failed', undefined)
    : error
}

/** Of a statement that is ours alone and always the same: it fails for no reason of anybody who asks. */
function asOutage(error: unknown): Outage {
  const fault = asFault(error, 'nothing')
  if (fault instanceof Outage) return fault
  return fault instanceof DatabaseFault ? new Outage('nothing', `Postgres: ${fault.message}`) : nonsense()
}
