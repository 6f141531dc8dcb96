/** What an operator does, by the commands' own functions of the build under test; a membership changes by SQL. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type postgres from 'postgres'
import type { SessionId, UserId } from '../../src/core/principal.js'
import { until } from './cluster/postgres.js'
import type { History, Op, Told } from './history.js'

const by = { user: undefined, context: { requestId: undefined, address: undefined } }

export class Operator {
  readonly #history: History
  readonly #sql: postgres.Sql
  readonly #hands: Hands
  readonly #versions = new Map<string, number>()

  constructor(history: History, sql: postgres.Sql, hands: Hands) {
    this.#history = history
    this.#sql = sql
    this.#hands = hands
  }

  /** The functions behind the commands of the build in `tree`. */
  static hands = hands

  endOne(target: string) {
    return this.#do('operator ends one', { target: this.#history.sessionOf(target) }, ({ revocations }) =>
      revocations.endOne(target as SessionId, 'anyone', by),
    )
  }

  endAllOf(user: string) {
    return this.#do('operator ends all of a user', { user }, ({ revocations }) =>
      revocations.endAllOf(user as UserId, by),
    )
  }

  endAll() {
    return this.#do('operator ends all there are', {}, ({ revocations }) => revocations.endAll(by))
  }

  disable(user: string) {
    return this.#do('operator disables', { user }, ({ users }) => users.disable(user as UserId, by))
  }

  enable(user: string) {
    return this.#do('operator enables', { user }, ({ users }) => users.enable(user as UserId, by))
  }

  /** The ids of a person's live sessions. */
  async list(user: string): Promise<string[]> {
    let ids: string[] = []
    await until(async () => {
      const page = { limit: 100, after: undefined }
      const listed = await this.#hands.revocations.list(user as UserId, page).catch(() => undefined)
      ids = listed?.items.map(({ id }) => id) ?? []
      return listed !== undefined
    })
    return ids
  }

  /** The next version of a membership; a suspended one has none that anybody sees. */
  changeMembership(user: string, tenant: string, state: 'active' | 'suspended' = 'active') {
    const membership = `${user}|${tenant}`
    const version = (this.#versions.get(membership) ?? 0) + 1
    this.#versions.set(membership, version)
    return this.#history.record(
      { client: 'operator', op: 'operator changes a membership', user },
      async () => {
        await this.#sql`update memberships set role_ids = ${[`v${version}`]}, state = ${state}
          where user_id = ${user} and tenant_id = ${tenant}`
        const facts = { membership, version, suspends: state === 'suspended' }
        return { outcome: 'ok', facts }
      },
    )
  }

  /** What its function answers, or why it does not; no session hangs on it, and the history says nothing of it. */
  deleteApplication(clientId: string): Promise<string> {
    return this.#hands.applications.remove(clientId, by).catch(error => String(error))
  }

  close(): Promise<void> {
    return this.#hands.close()
  }

  #do(op: Op, about: { user?: string; target?: string }, work: (hands: Hands) => Promise<unknown>) {
    return this.#history.record({ client: 'operator', op, ...about }, async (): Promise<Told> => {
      try {
        const answer = await work(this.#hands)
        return { outcome: answer === 'unknown' ? 'refused' : 'ok', facts: {} }
      } catch (error) {
        return { outcome: 'unknown', code: String(error), facts: {} }
      }
    })
  }
}

interface Hands {
  readonly revocations: Pick<
    import('../../src/sessions/revocations.js').Revocations,
    'list' | 'endOne' | 'endAllOf' | 'endAll'
  >
  readonly users: {
    disable(user: UserId, operator: typeof by): Promise<unknown>
    enable(user: UserId, operator: typeof by): Promise<unknown>
  }
  readonly applications: { remove(clientId: string, operator: typeof by): Promise<string> }
  close(): Promise<void>
}

/** From the build that is tried: a mutant's operator has the mutant's mistakes. */
async function hands(tree: string, url: string, redis?: { url: string; keysFolder: string }): Promise<Hands> {
  const load = (name: string) => import(pathToFileURL(resolve(tree, 'dist', name)).href)
  const { Database } = await load('store/postgres/database.js')
  const { openRows, revocationsIn } = await load('boot/session-stores.js')
  const { postgresUserStore } = await load('store/postgres/accounts/user-store.js')
  const { postgresApplicationStore } = await load('store/postgres/tenants/application-store.js')
  const database = new Database({ url }, { connections: 4 })
  const [users, applications] = [postgresUserStore(database), postgresApplicationStore(database)]
  if (!redis) {
    const revocations = revocationsIn(database)
    return { users, applications, revocations, close: () => database.close() }
  }
  const keyring = await load('sealing/key-encryption-keys.js')
  const { keys } = await keyring.loadKeyEncryptionKeys(redis.keysFolder)
  const { rows, close } = await openRows({ redisUrl: redis.url }, keys)
  return {
    users,
    applications,
    revocations: revocationsIn(database, rows),
    close: async () => {
      close()
      await database.close()
    },
  }
}
