/** Session rows in Redis: written once under a MAC of ours, read within a bound; only last-seen and the place change. */
import { randomBytes } from 'node:crypto'
import { Cluster } from 'ioredis'
import { Outage } from '../../../core/errors.js'
import type { SessionId, TenantId } from '../../../core/principal.js'
import type { KeyEncryptionKeys } from '../../../sealing/key-encryption-keys.js'
import { answers, giveUpOn, type RedisClient, reconnect, whyAway } from '../../redis/connection.js'
import { inTime } from '../../redis/in-time.js'
import { answerIn, type Script, scripts } from './session-scripts.js'

/** A row as Postgres wrote it and reads it again: nobody else looks into these texts. */
export interface StoredRow {
  /** JSON with the columns of the table `sessions`. */
  readonly row: string
  /** JSON with what has changed since. */
  readonly changes: string
  /** As it stands beside the row: by it a change finds only the row that was read. */
  readonly mac: string
}

export interface NewRow {
  readonly id: SessionId
  readonly user: string
  readonly row: string
  /** As `timestampOf` writes it. */
  readonly seen: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly endsAt: number
}

/** Milliseconds: what a request may lose to a Redis that hangs. A write may wait for a disk. */
const defaultPatience = { read: 100, write: 500 }

/** An ended row is kept so long, in milliseconds: who presents it, or ends it again, is told the same as before. */
const keptAfterEnd = 3_600_000
/** Longer than a session lives, in milliseconds: Postgres says when it ends, not the clock of Redis. */
const grace = 60_000
/** Milliseconds. Anybody who plants rows under keys of no name has the folder read no more often. */
const lookForKeysEvery = 1000
/** Of one user. More than that nobody reads. */
const mostListed = 500

const purpose = 'mintmark session rows v1'
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

export const rowKey = (id: string) => `mintmark:session:{${id}}`
export const indexKey = (user: string) => `mintmark:sessions-of:{${user}}`

/** Of equal length for all times, so that texts compare as times do. `seconds` are since 1970, with a fraction. */
export function timestampOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('Z', '000Z')
}

type Commands = Record<`mintmark_${Script}Buffer`, (...all: (string | number)[]) => Promise<unknown>>

/** Of this process alone: what names a call must not be that of another's. */
const thisProcess = randomBytes(9).toString('base64url')

export class SessionRows {
  readonly #redis: RedisClient
  readonly #keks: KeyEncryptionKeys
  readonly #patience: typeof defaultPatience
  #calls = 0
  #lookedForKeys: { at: number; done: Promise<readonly string[]> } = {
    at: Number.NEGATIVE_INFINITY,
    done: Promise.resolve([]),
  }

  constructor(redis: RedisClient, keks: KeyEncryptionKeys, patience = defaultPatience) {
    this.#redis = redis
    this.#keks = keks
    this.#patience = patience
    for (const [name, lua] of Object.entries(scripts))
      redis.defineCommand(`mintmark_${name}`, { numberOfKeys: 1, lua })
  }

  /**
   * Undefined: Redis answers, and has no row that we wrote for this id. Whatever else lies there, of somebody else's,
   * of another id or too long, is not one. Throws `Outage` when Redis cannot be asked, and when whether we wrote it cannot
   * be judged here.
   */
  async read(id: SessionId): Promise<StoredRow | undefined> {
    const fields = await this.#run('read', rowKey(id), [])
    const [row, mac, seen, place] = fields.map(field => field ?? '')
    await this.#findKeysOf(id, mac, seen?.split(' ')[1], place?.split(' ')[1])
    if (!this.#isOurs('row', id, row, mac)) return undefined
    const lastSeen = this.#opened('seen', id, seen)
    if (lastSeen === undefined || !timestamp.test(lastSeen)) return undefined
    const changes: Record<string, string | null> = { last_seen_at: lastSeen }
    const tenant = this.#opened('place', id, place)
    if (tenant !== undefined) changes.tenant_id = uuid.test(tenant) ? tenant : null
    return { row: row as string, changes: JSON.stringify(changes), mac: mac as string }
  }

  /** In the list of its user first: a session that nobody could find there must not be. */
  async write(row: NewRow): Promise<void> {
    if ((await this.#put('write', row)) !== '1') throw new Error(`there is a session ${row.id} already`)
  }

  /** From the other store. */
  async copy(row: NewRow): Promise<void> {
    await this.#put('copy', row)
  }

  async #put(
    script: 'write' | 'copy',
    { id, user, row, seen, now, endsAt }: NewRow,
  ): Promise<string | null | undefined> {
    const life = Math.ceil(endsAt - now + grace)
    await this.#run('list', indexKey(user), [id, endsAt, life, now])
    const args = [row, this.#mac('row', id, row), this.#sealed('seen', id, seen), life]
    return (await this.#run(script, rowKey(id), args))[0]
  }

  async touch(id: SessionId, { mac }: StoredRow, seen: string): Promise<void> {
    await this.#run('touch', rowKey(id), [mac, seen, this.#sealed('seen', id, seen)])
  }

  async place(id: SessionId, { mac }: StoredRow, tenant: TenantId | null): Promise<boolean> {
    const [placed] = await this.#run('place', rowKey(id), [mac, this.#sealed('place', id, tenant ?? '-')])
    return placed === '1'
  }

  /** After its end was recorded elsewhere: nothing rests on it, so it may fail. `user` unknown: its list has it yet. */
  async retire(id: SessionId, user?: string): Promise<void> {
    const unlisted = user === undefined ? undefined : this.unlist(user, id)
    await this.#run('retire', rowKey(id), [keptAfterEnd]).catch(() => {})
    await unlisted
  }

  /** For the list alone: whether one of them lives is asked of its row. */
  async idsOf(user: string): Promise<readonly SessionId[]> {
    const ids = await this.#run('listed', indexKey(user), [mostListed - 1])
    return ids.filter(id => id !== null) as SessionId[]
  }

  /** All that there are, in batches; what changes meanwhile may be missed or come twice. */
  async *scan(): AsyncGenerator<readonly SessionId[]> {
    for (const master of this.#redis instanceof Cluster ? this.#redis.nodes('master') : [this.#redis]) {
      for (let cursor = '0'; ; ) {
        const [next, keys] = await master.scan(cursor, 'MATCH', rowKey('*'), 'COUNT', 200)
        yield keys.flatMap(key => (/\{(.{22})\}$/.exec(key)?.slice(1) ?? []) as SessionId[])
        cursor = next
        if (cursor === '0') break
      }
    }
  }

  async unlist(user: string, id: SessionId): Promise<void> {
    await inTime(this.#redis.zrem(indexKey(user), id), this.#patience.write).catch(() => {})
  }

  async #run(
    script: Script,
    key: string,
    args: readonly (string | number)[],
  ): Promise<readonly (string | null)[]> {
    if (!answers(this.#redis)) throw new Outage('nothing', `Redis is away: ${whyAway(this.#redis)}`)
    const patience = script === 'read' || script === 'listed' ? this.#patience.read : this.#patience.write
    const call = `${thisProcess} ${this.#calls++}`
    const answer = answerIn(await this.#reply(script, [key, ...args, call], patience), key, call)
    if (answer) return answer
    this.#undo(script, key, args[0])
    reconnect(this.#redis)
    throw new Outage('nothing', 'Redis answered a different request')
  }

  async #reply(script: Script, args: readonly (string | number)[], patience: number): Promise<unknown> {
    const redis = this.#redis as unknown as Commands
    try {
      return await inTime(redis[`mintmark_${script}Buffer`](...args), patience)
    } catch (error) {
      // Its reply may repeat what was sent: only its first word is told.
      const [word = ''] = (error as Error).message.split(' ')
      if (/^[A-Z]+$/.test(word)) throw new Outage('nothing', `Redis: ${word}`)
      this.#undo(script, args[0] as string, args[1])
      giveUpOn(this.#redis)
      throw new Outage('nothing', 'Redis: no answer')
    }
  }

  /** By the same connection, behind the row: when Redis wakes up it does both, and nobody has a device too many. */
  #undo(script: Script, key: string | number, row: string | number = ''): void {
    if (script !== 'write') return
    const redis = this.#redis as unknown as Commands
    redis.mintmark_undoBuffer(key, row, '').catch(() => {})
  }

  /**
   * Another instance may write under a key that was put into the folder since: its rows are no less there. What is not
   * here even then leaves nobody to say whether the row is ours, and so it is not "no row".
   */
  async #findKeysOf(id: string, ...macs: (string | undefined)[]): Promise<void> {
    const lacking = () => macs.map(mac => mac && this.#keks.missingKeyOf(mac)).find(file => file)
    if (!lacking()) return
    const now = performance.now()
    if (now - this.#lookedForKeys.at > lookForKeysEvery)
      this.#lookedForKeys = { at: now, done: this.#keks.reload() }
    const faults = await this.#lookedForKeys.done
    const missing = lacking()
    if (!missing) return
    const reason = [`the key-encryption key ${missing} is missing: put it back`, ...faults].join('; ')
    throw new Outage('nothing', `the session row ${id} cannot be verified: ${reason}`)
  }

  #text = (field: string, id: string, value: string) => `${field}\n${rowKey(id)}\n${value}`

  #mac(field: string, id: string, value: string): string {
    return this.#keks.mac(purpose, this.#text(field, id, value))
  }

  #isOurs(field: string, id: string, value = '', mac = ''): boolean {
    return this.#keks.isOurs(purpose, this.#text(field, id, value), mac)
  }

  /** A value with its MAC behind it. */
  #sealed(field: string, id: string, value: string): string {
    return `${value} ${this.#mac(field, id, value)}`
  }

  #opened(field: string, id: string, sealed = ''): string | undefined {
    const [value = '', mac = ''] = sealed.split(' ', 2)
    return this.#isOurs(field, id, value, mac) ? value : undefined
  }
}
