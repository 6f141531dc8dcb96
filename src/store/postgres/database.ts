/** Everything but the hot reads: an ordinary pool with drizzle on it, reads and transactions under one deadline. */
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { type Address, ReplaceableClient, type Sql } from './connection.js'
import * as schema from './schema.js'

export type Queries = Pick<
  PostgresJsDatabase<typeof schema>,
  'select' | 'insert' | 'update' | 'delete' | 'execute'
>

/** Milliseconds: a lock is waited for 2 s, a statement runs 3 s, and a caller is answered within 5 s. */
const deadlines = { lock: 2000, statement: 3000, connect: 3000, caller: 5000 }

export class Database {
  readonly #pool: ReplaceableClient
  readonly #drizzles = new WeakMap<Sql, PostgresJsDatabase<typeof schema>>()

  constructor(address: Address, connections = 10) {
    this.#pool = new ReplaceableClient({ address, connections, deadlines })
  }

  /** One statement that changes nothing. */
  read<T>(work: (db: Queries) => PromiseLike<T>): Promise<T> {
    return this.#pool.run('nothing', client => work(this.#on(client)))
  }

  /** One statement that changes something, committed by itself. */
  write<T>(work: (db: Queries) => PromiseLike<T>): Promise<T> {
    return this.#pool.run('unknown', client => work(this.#on(client)))
  }

  /** READ COMMITTED: each statement sees what was committed before it began. */
  transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    return this.#pool.run('unknown', client => this.#on(client).transaction(tx => work(tx)))
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  #on(client: Sql): PostgresJsDatabase<typeof schema> {
    const known = this.#drizzles.get(client)
    if (known) return known
    const db = drizzle(client, { schema })
    this.#drizzles.set(client, db)
    return db
  }
}
