/** What a schedule or a run plays on: the servers, the instances of one build, people, and the history they write. */

import { join } from 'node:path'
import { serviceKey } from '../harness/world.js'
import { check } from './checker/checker.js'
import type { Cluster, Fleet } from './cluster/cluster.js'
import type { Instance, Start } from './cluster/instance.js'
import { until } from './cluster/postgres.js'
import { Device, type Token } from './device.js'
import { type Entry, History, type Violation } from './history.js'
import { Operator } from './operator.js'
import { livingSessions, type Person, person, type SeededSession, session, tenant } from './people.js'
import { Watcher } from './watcher.js'

const mostTokens = 60

/** A schedule that could not be played says nothing about the build. */
export class NotPlayed extends Error {
  override readonly name = 'NotPlayed'
}

export class Stage {
  readonly cluster: Cluster
  readonly fleet: Fleet
  readonly tree: string
  readonly history = new History()
  readonly operator: Operator
  readonly people: Person[] = []
  /** Verifiers that follow the feed of an instance. */
  readonly watchers: Watcher[] = []
  readonly tokens: Token[] = []
  readonly #own: Violation[] = []
  readonly #ends: (() => Promise<unknown>)[] = []
  readonly #lasts: (() => Promise<unknown>)[] = []
  readonly #all: Device[] = []
  #serviceKey: Promise<string> | undefined

  private constructor(
    cluster: Cluster,
    fleet: Fleet,
    tree: string,
    operator: (history: History) => Operator,
  ) {
    this.cluster = cluster
    this.fleet = fleet
    this.tree = tree
    this.operator = operator(this.history)
  }

  static async set(cluster: Cluster, fleet: Fleet, tree: string): Promise<Stage> {
    const { sessionRedis } = cluster
    const redis = sessionRedis && { url: sessionRedis.url, keysFolder: join(cluster.folder, 'keys') }
    const hands = await Operator.hands(tree, cluster.operatorUrl, redis)
    return new Stage(cluster, fleet, tree, history => new Operator(history, cluster.primary.sql, hands))
  }

  at(number: number): Instance {
    return this.fleet.at(number)
  }

  get sql() {
    return this.cluster.primary.sql
  }

  tenant(): Promise<string> {
    return tenant(this.sql)
  }

  async person(tenants: readonly string[] = []): Promise<Person> {
    const made = await person(this.sql, tenants)
    this.people.push(made)
    return made
  }

  /** A device that is signed in already. */
  async device(whose?: Person, tenantId?: string): Promise<Device> {
    const owner = whose ?? (await this.person())
    return this.newDevice(owner, await this.session(owner, tenantId))
  }

  newDevice(whose: Person, seeded?: SeededSession): Device {
    const name = `device ${this.#all.length + 1}`
    const device = new Device(name, whose, this.cluster.http, this.history, seeded)
    this.#all.push(device)
    return device
  }

  /** Devices that believe to be signed in. */
  livingDevices(whose?: Person): Device[] {
    return this.#all.filter(({ person, cookie }) => cookie && (!whose || person === whose))
  }

  /** A verifier that follows the feed of this instance already. */
  async watcher(
    at: Instance,
    mode: 'required' | 'preferred' = 'required',
    maxAgeSeconds = 15,
  ): Promise<Watcher> {
    this.#serviceKey ??= serviceKey(this.sql, { scopes: ['feed'], audiences: ['demo-api'] }).then(
      ({ key }) => key,
    )
    const name = `verifier ${this.watchers.length + 1} (${mode}, ${maxAgeSeconds} s)`
    const { history } = this
    const options = { name, at, history, serviceKey: await this.#serviceKey, mode, maxAgeSeconds }
    const watcher = await Watcher.follow(options)
    this.watchers.push(watcher)
    this.later(() => watcher.close())
    return watcher
  }

  /** A token of this device, of a mint that must succeed. */
  async token(device: Device, at: Instance, tenant?: string): Promise<Token> {
    const entry = await device.mint(at, tenant)
    if (entry.outcome !== 'ok' || !device.token)
      throw new NotPlayed(`no token: ${entry.status} ${entry.code}`)
    return device.token
  }

  /** Tokens of lately, for verifiers to be asked about. */
  keep(token: Token): void {
    this.tokens.push(token)
    if (this.tokens.length > mostTokens) this.tokens.shift()
  }

  session(whose: Person, tenant?: string): Promise<SeededSession> {
    const { rows } = this.cluster.sessionRedis ?? {}
    const where = { ...(tenant !== undefined && { tenant }), ...(rows && { rows }) }
    return session(this.sql, whose, { history: this.history, ...where })
  }

  /** Row locks that somebody else holds; what is returned gives them back. */
  async lock(table: 'users' | 'sessions', ...ids: string[]): Promise<() => Promise<void>> {
    const held = await this.sql.reserve()
    await held`begin`
    if (table === 'sessions' && this.cluster.sessionRedis) {
      for (const id of ids) await held`select pg_advisory_xact_lock(735194601, hashtext(${id}))`
    } else await held`select from ${held(table)} where id::text = any(${ids}) for update`
    let release: Promise<void> | undefined
    const give = async () => {
      await held`commit`
      held.release()
    }
    const once = () => {
      release ??= give()
      return release
    }
    this.later(once)
    return once
  }

  /** Until so many backends of the service wait for a lock. */
  waiting(count: number): Promise<void> {
    return until(async () => {
      const [row] = await this.sql`select count(*)::int as waiting from pg_stat_activity
        where application_name = 'mintmark' and wait_event_type = 'Lock'`
      return row?.waiting >= count
    })
  }

  /** In the history, a session that was aged past its end has been ended. */
  expired(session: string | undefined): void {
    const now = performance.now()
    const target = session ?? ''
    const op = 'operator ends one'
    this.history.add({ client: 'the clock', op, target, start: now, end: now, outcome: 'ok', facts: {} })
  }

  /** One more instance, for this schedule alone. */
  async spare(start: Start): Promise<Instance> {
    const fleet = await this.cluster.fleet(this.tree, 1)
    this.later(() => fleet.close())
    await fleet.at(1).start(start)
    return fleet.at(1)
  }

  /** Done when the schedule is over, the last first. */
  later(work: () => Promise<unknown>): void {
    this.#ends.push(work)
  }

  /** Done after all of those: what needs a primary that waits for nobody. */
  last(work: () => Promise<unknown>): void {
    this.#lasts.push(work)
  }

  /** Without this, nothing would have been tried. */
  need(condition: boolean, what: string, entry?: Entry): void {
    if (!condition) throw new NotPlayed(entry ? `${what}: ${entry.status} ${entry.code}` : what)
  }

  /** What must be true beside what the checker knows. */
  claim(condition: boolean, says: string, ...entries: Entry[]): void {
    if (!condition) this.#own.push({ rule: 'claim', says, entries })
  }

  async verdict(): Promise<Violation[]> {
    const living = await this.#living()
    for (const instance of this.fleet.instances) {
      for (const words of instance.takeFallen()) {
        this.claim(false, `instance ${instance.number} ended by itself:\n${words}`)
      }
    }
    return [...this.#own, ...check(this.history.entries, living)]
  }

  /** By what is kept: the sessions that a check would let in. */
  async #living(): Promise<Set<string>> {
    const people = this.people.map(({ id }) => id)
    if (!this.cluster.sessionRedis) return livingSessions(this.sql, people)
    await this.cluster.sessionRedis.heal()
    const lists = await Promise.all(people.map(id => this.operator.list(id)))
    return new Set(lists.flat().map(id => this.history.sessionOf(id)))
  }

  /** Rows that lie in Redis are lost from `start` on, until now. */
  lost(start: number): void {
    const op = 'Redis loses rows'
    this.history.add({ client: 'Redis', op, start, end: performance.now(), outcome: 'ok', facts: {} })
  }

  async end(): Promise<void> {
    for (const work of [...this.#ends.splice(0).reverse(), ...this.#lasts.splice(0)]) await work()
    await this.operator.close()
  }
}
