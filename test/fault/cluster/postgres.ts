/** A real Postgres primary and streaming replicas of it, each in a folder of its own, and what may befall them. */
import { execFile } from 'node:child_process'
import { chown, cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../packages/dev-postgres/src/launch.js'
import { migrate } from '../../../src/store/postgres/migration/migrate.js'

const settings = {
  // Nothing here must survive a crash of the machine.
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  wal_keep_size: '256MB',
  max_wal_size: '512MB',
}

export interface PostgresServer {
  readonly socket: { readonly path: string }
  /** Straight to the server; what is written here waits for no standby. */
  readonly sql: postgres.Sql
  /** For `DATABASE_URL`, by way of a proxy on this port. */
  url(port: number): string
  stop(): Promise<void>
}

export interface Primary extends PostgresServer {
  /** A backup as of now; what is returned restores it into a server of its own. */
  backUp(folder: string): Promise<() => Promise<PostgresServer>>
  /** A copy of the data folder as of now, as a snapshot of its disk is; what is returned puts it to use elsewhere. */
  snapshot(folder: string): Promise<() => Promise<PostgresServer>>
  /** A standby that streams from here, in sync when this resolves. */
  replicate(folder: string): Promise<Replica>
  /** Commits wait for a standby that is not there, until what is returned is called. */
  loseSynchronousStandby(): Promise<() => Promise<void>>
  /** Commits wait for this standby, whether it is connected or not, until what is returned is called. */
  waitFor(standby: Replica): Promise<() => Promise<void>>
  /** Until so many commits wait for a standby. */
  commitsWaiting(count?: number): Promise<void>
  /** Waits for a commit that waits for a standby, and cancels it: Postgres warns, and answers that it is done. */
  cancelWaitingCommit(): Promise<void>
  /** Cancels every commit that waits for a standby while `work` is done. */
  cancellingCommits<T>(work: () => Promise<T>): Promise<T>
  /** One backend is killed, all others go with it, and the server recovers. */
  crash(): Promise<void>
  /** Ends backends of the service; at random where a share is given. */
  terminate(share?: number): Promise<void>
}

export interface Replica extends PostgresServer {
  /** In `synchronous_standby_names`. */
  readonly name: string
  pauseReplay(): Promise<void>
  resumeReplay(): Promise<void>
  /** Until it has replayed all that the primary has written so far. */
  catchUp(): Promise<void>
  /** It gets no more of what the primary commits. */
  disconnect(): Promise<void>
  /** And now it does, and all that it has missed. */
  reconnect(): Promise<void>
  promote(): Promise<void>
}

export async function startPrimary(folder: string): Promise<Primary> {
  const server = await startEmbeddedPostgres({ folder, settings })
  await migrate(server.connection)
  const base = running(server)
  const { sql } = base
  await sql`insert into applications (client_id, name, audiences) values ('demo', 'Demo', '{demo-api}')
    on conflict do nothing`
  let losses = 0
  const waitFor = async (names: string) => {
    await sql.unsafe(`alter system set synchronous_standby_names = '${names}'`)
    await sql`select pg_reload_conf()`
    await until(async () => {
      const [row] = await sql`show synchronous_standby_names`
      return row?.synchronous_standby_names === names || (names !== '' && losses === 0)
    })
  }
  const lose = async (names: string) => {
    losses++
    await waitFor(names)
    let over = false
    return async () => {
      if (over) return
      over = true
      losses--
      // Lost twice at once, it is back when both are over.
      if (losses === 0) await waitFor('')
    }
  }
  const waiting = () => sql<{ pid: number }[]>`select pid from pg_stat_activity
    where application_name = 'mintmark' and wait_event = 'SyncRep'`
  const cancel = async () => {
    const cancelled = await sql`select pg_cancel_backend(pid) from pg_stat_activity
      where application_name = 'mintmark' and wait_event = 'SyncRep'`
    return cancelled.length > 0
  }
  return {
    ...base,
    replicate: to => replicate(server, sql, to),
    async backUp(to) {
      await backUp(server, sql, to)
      return () => restore(to)
    },
    async snapshot(to) {
      await backUp(server, sql, to)
      return () => startCopy(to)
    },
    loseSynchronousStandby: () => lose('nobody'),
    waitFor: ({ name }) => lose(name),
    commitsWaiting: (count = 1) => until(async () => (await waiting()).length >= count),
    cancelWaitingCommit: () => until(cancel),
    async cancellingCommits(work) {
      let over = false
      const cancelling = until(async () => {
        await cancel()
        return over
      }, 120)
      try {
        return await work()
      } finally {
        over = true
        await cancelling
      }
    },
    async crash() {
      const before = await sql<{ pid: number }[]>`
        select pid, pid = pg_backend_pid() as own from pg_stat_activity where backend_type = 'client backend'
        order by own desc`
      process.kill(before[0]?.pid ?? 0, 'SIGKILL')
      const gone = new Set(before.map(({ pid }) => pid))
      // By a connection of its own each time: what the driver has to send on one that is lost may end this process, and
      // so would the types that it asks for by itself.
      await until(async () => {
        const fresh = postgres({ ...server.connection, max: 1, fetch_types: false, onnotice: () => {} })
        const now = await fresh<{ pid: number }[]>`select pid from pg_stat_activity`.catch(() => undefined)
        await fresh.end({ timeout: 1 })
        return now?.every(({ pid }) => !gone.has(pid))
      }, 60)
    },
    async terminate(share = 1) {
      await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'mintmark' and random() < ${share}`
    },
  }
}

function running(server: EmbeddedPostgres): PostgresServer {
  const { connection } = server
  const sql = postgres({
    ...connection,
    max: 12,
    onnotice: () => {},
    connection: { application_name: 'fault suite', synchronous_commit: 'local' },
  })
  return {
    socket: { path: join(connection.host, `.s.PGSQL.${connection.port}`) },
    sql,
    url: port =>
      `postgres://${connection.user}:${encodeURIComponent(connection.password)}@127.0.0.1:${port}/${connection.database}`,
    async stop() {
      await sql.end({ timeout: 1 })
      await server.stop()
    },
  }
}

/** An online backup, copied as files: the embedded package carries no pg_basebackup. Without what is written later. */
async function backUp(primary: EmbeddedPostgres, sql: postgres.Sql, folder: string): Promise<void> {
  const from = join(primary.folder, 'data')
  const to = join(folder, 'data')
  await mkdir(folder, { recursive: true })
  const backup = await sql.reserve()
  try {
    await backup`select pg_backup_start('copy', true)`
    await copy(from, to)
    const [stopped] = await backup`select labelfile from pg_backup_stop(false)`
    await writeFile(join(to, 'backup_label'), String(stopped?.labelfile))
    await backup`select pg_switch_wal()`
  } finally {
    backup.release()
  }
  await copy(join(from, 'pg_wal'), join(to, 'archive'))
  for (const name of ['postmaster.pid', 'postmaster.opts', 'postgresql.auto.conf']) {
    await rm(join(to, name), { force: true })
  }
  await giveTo(from, to, ['backup_label'])
  await cp(join(primary.folder, 'connection.json'), join(folder, 'connection.json'))
}

/** By the system's own command, which keeps owners; a file may vanish while it copies. */
async function copy(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, to]).catch(error => {
    if (!/No such file/.test(String(error))) throw error
  })
}

/** A server made from the backup in this folder, as an operator does it: it replays the archive, and then serves. */
async function restore(folder: string): Promise<PostgresServer> {
  const data = join(folder, 'data')
  await writeFile(join(data, 'recovery.signal'), '')
  await writeFile(join(data, 'postgresql.auto.conf'), `restore_command = 'cp "${data}/archive/%f" "%p"'\n`)
  await giveTo(join(data, 'PG_VERSION'), data, ['recovery.signal', 'postgresql.auto.conf'])
  const server = await startEmbeddedPostgres({ folder, settings })
  const restored = running(server)
  await until(async () => !(await restored.sql`select pg_is_in_recovery() as yes`)[0]?.yes)
  return restored
}

/** A server on a copy: it recovers as after a crash, and is by all that it says of itself the one it was copied from. */
async function startCopy(folder: string): Promise<PostgresServer> {
  const data = join(folder, 'data')
  await rm(join(data, 'pg_wal'), { recursive: true, force: true })
  await rename(join(data, 'archive'), join(data, 'pg_wal'))
  return running(await startEmbeddedPostgres({ folder, settings }))
}

async function replicate(primary: EmbeddedPostgres, sql: postgres.Sql, folder: string): Promise<Replica> {
  await backUp(primary, sql, folder)
  const to = join(folder, 'data')
  const { host, port, user, password } = primary.connection
  const source = `host=${host} port=${port} user=${user} password=${password}`
  const name = basename(folder).replaceAll('-', '_')
  const conninfo = `${source} application_name=${name}`
  await writeFile(join(to, 'standby.signal'), '')
  await writeFile(join(to, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`)
  await giveTo(join(to, 'PG_VERSION'), to, ['standby.signal', 'postgresql.auto.conf'])

  const server = await startEmbeddedPostgres({ folder, settings })
  const base = running(server)
  const replica: Replica = {
    ...base,
    name,
    async pauseReplay() {
      await base.sql`select pg_wal_replay_pause()`
      await until(
        async () => (await base.sql`select pg_get_wal_replay_pause_state() as s`)[0]?.s === 'paused',
      )
    },
    async resumeReplay() {
      await base.sql`select pg_wal_replay_resume()`
    },
    async catchUp() {
      const [position] = await sql`select pg_current_wal_lsn()::text as lsn`
      await until(
        async () =>
          (await base.sql`select pg_last_wal_replay_lsn() >= ${position?.lsn}::text::pg_lsn as there`)[0]
            ?.there,
      )
    },
    async disconnect() {
      await base.sql.unsafe(`alter system set primary_conninfo = ''`)
      await base.sql`select pg_reload_conf()`
      await until(async () => (await base.sql`select from pg_stat_wal_receiver`).length === 0)
    },
    async reconnect() {
      await base.sql.unsafe(`alter system set primary_conninfo = '${conninfo}'`)
      await base.sql`select pg_reload_conf()`
      await until(
        async () => (await sql`select from pg_stat_replication where application_name = ${name}`).length > 0,
      )
      await replica.catchUp()
    },
    async promote() {
      await base.sql`select pg_promote(true, 30)`
    },
  }
  await replica.catchUp()
  return replica
}

async function giveTo(model: string, folder: string, names: string[]): Promise<void> {
  const { uid, gid } = await stat(model)
  if (process.getuid?.() === 0) for (const name of names) await chown(join(folder, name), uid, gid)
}

/** Polls what no event tells. */
export async function until(look: () => Promise<unknown>, seconds = 15): Promise<void> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    if (await look()) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error(`it did not happen within ${seconds} s: ${look}`)
}
