/** Connections that never hold a caller past a deadline: a client that hangs is dropped whole and replaced. */
import postgres from 'postgres'
import { Outage } from '../../errors.js'

export type Sql = postgres.Sql

/** Where Postgres is: a URL, or the socket of the embedded default. */
export type Address =
  | { readonly url: string }
  | {
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
    }

/** Milliseconds. Each limit on the server is shorter than the caller's, so that hitting the caller's means "frozen". */
export interface Deadlines {
  readonly caller: number
  readonly statement: number
  readonly lock: number
  readonly connect: number
}

export interface ClientOptions {
  readonly address: Address
  readonly connections: number
  readonly deadlines: Deadlines
  readonly settings?: Readonly<Record<string, string>>
}

export class ReplaceableClient {
  readonly #options: ClientOptions
  #client: Sql
  #pending = 0

  constructor(options: ClientOptions) {
    this.#options = options
    this.#client = connect(options)
  }

  /** Calls that wait for an answer now. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Runs `work` on the present client. Past the deadline the caller gets an `Outage` and the client is dropped with
   * everything in flight on it: nothing is cancelled, since a cancelled COMMIT may have been made.
   */
  async run<T>(outcome: 'nothing' | 'unknown', work: (client: Sql) => PromiseLike<T>): Promise<T> {
    const client = this.#client
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#replace(client)
        reject(new Outage(outcome, `Postgres gave no answer in ${this.#options.deadlines.caller} ms`))
      }, this.#options.deadlines.caller)
    })
    this.#pending++
    try {
      return await Promise.race([work(client), deadline])
    } catch (error) {
      throw asFault(error, outcome)
    } finally {
      this.#pending--
      clearTimeout(timer)
    }
  }

  async close(): Promise<void> {
    await this.#client.end({ timeout: 1 })
  }

  #replace(client: Sql): void {
    if (this.#client !== client) return
    this.#client = connect(this.#options)
    void client.end({ timeout: 0 })
  }
}

function connect({ address, connections, deadlines, settings }: ClientOptions): Sql {
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max: connections,
    fetch_types: false,
    // A short constant wait between attempts: back within a second after an outage, however long it was.
    backoff: () => 0.1,
    connect_timeout: deadlines.connect / 1000,
    onnotice: () => {},
    connection: {
      application_name: 'mintmark',
      TimeZone: 'UTC',
      synchronous_commit: 'on',
      default_transaction_isolation: 'read committed',
      statement_timeout: deadlines.statement,
      lock_timeout: deadlines.lock,
      ...settings,
    },
  }
  return 'url' in address ? postgres(address.url, options) : postgres({ ...address, ...options })
}

/** SQLSTATE classes and codes that mean "not now" rather than "wrong": connection, resources, operator, locks. */
const outageStates = /^(08|53|57|58|25006|40|55P03)/
const connectionCodes = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EPIPE',
])

/** A statement that failed for a reason of ours. Carries no parameter, no row and no query: those may be secret. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  readonly sqlState: string
  readonly constraint: string | undefined

  constructor(sqlState: string, message: string, constraint: string | undefined) {
    super(`${sqlState}: ${message}`)
    this.sqlState = sqlState
    this.constraint = constraint
  }
}

/** Turns what a driver throws into an outage or a fault that may be logged; our own errors pass. */
export function asFault(error: unknown, outcome: 'nothing' | 'unknown'): unknown {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof postgres.PostgresError) {
    if (outageStates.test(cause.code)) return new Outage(outcome, `Postgres: ${cause.code} ${cause.message}`)
    return new DatabaseFault(cause.code, cause.message, cause.constraint_name)
  }
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined
  if (code !== undefined && connectionCodes.has(code)) return new Outage(outcome, `Postgres: ${code}`)
  return error
}
