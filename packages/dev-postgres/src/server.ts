/** One running Postgres: started on its data folder, awaited until it answers, watched, stopped. */
import { chown, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import { dataFolder, type EmbeddedConnection, type Home, writeConnection } from './cluster.js'
import { type Account, canReach } from './data-directory.js'
import { shortTemporaryFolder } from './lock.js'
import { endServer, readPostmaster, removeSocketFolder, socketSetting } from './postmaster.js'
import { EmbeddedRefusal, endedEarly, errno, useOwnServer } from './refusal.js'
import { type Supervised, startSupervised } from './supervisor.js'

export interface ServerOptions {
  password: string
  settings: Record<string, string>
  say: (line: string) => void
}

export interface RunningServer {
  connection: EmbeddedConnection
  pid: number
  /** When it is gone, with everything of it, in whichever way. */
  gone: Promise<number | null>
  end(): void
}

export async function startServer(home: Home, options: ServerOptions): Promise<RunningServer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await tryServer(home, options)
    } catch (error) {
      // Backends of a postmaster that was killed take a moment to notice.
      const early =
        error instanceof EmbeddedRefusal && error.message.includes('pre-existing shared memory block')
      if (!early || attempt === 50) throw error
      await delay(100)
    }
  }
}

async function tryServer(home: Home, { password, settings, say }: ServerOptions): Promise<RunningServer> {
  const { folder, account, log } = home
  const host = await makeSocketFolder(account)
  const connection = { host, port: 5432, user: 'mintmark', password, database: 'mintmark' }
  await writeConnection(folder, connection)
  const command = serverCommand(home, host, settings)
  const supervised = await startSupervised(command, { account, log: log.fd, socketFolder: host })
  const gone = supervised.ended.then(async code => {
    // A supervisor can be killed as well: then its server has nobody else to end it.
    await endServer(supervised.pid, host)
    await removeSocketFolder(host)
    return code
  })
  try {
    await untilReady(home, supervised, say)
    await ensureDatabase(connection, folder)
    supervised.unref()
  } catch (error) {
    supervised.end()
    await gone
    throw error
  }
  return { connection, pid: supervised.pid, gone, end: supervised.end }
}

function serverCommand({ folder, binaries }: Home, socketFolder: string, settings: Record<string, string>) {
  const socket = [
    socketSetting(socketFolder),
    'unix_socket_permissions=0700',
    'listen_addresses=',
    'port=5432',
  ]
  const given = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const all = [...socket, 'timezone=UTC', 'log_timezone=UTC', 'log_checkpoints=off', ...given]
  return [join(binaries, 'bin', 'postgres'), '-D', dataFolder(folder), ...all.flatMap(one => ['-c', one])]
}

/** For the connecting process alone; root connects to a folder of anybody's. */
async function makeSocketFolder(account: Account | undefined): Promise<string> {
  const short = shortTemporaryFolder()
  const parent = !account || (await canReach(short, account)) ? short : '/tmp'
  const folder = await mkdtemp(join(parent, 'mintmark-'))
  if (account) await chown(folder, account.uid, account.gid)
  return folder
}

/** No deadline: after a crash a server recovers for as long as it takes, and it is alive or it is not. */
async function untilReady({ folder, log }: Home, supervised: Supervised, say: (line: string) => void) {
  let ended: { code: number | null } | undefined
  supervised.ended.then(code => {
    ended = { code }
  })
  for (let round = 0; ; round += 1) {
    const found = await readPostmaster(dataFolder(folder))
    if (found?.pid === supervised.pid && found.ready) return
    if (ended) throw endedEarly(folder, ended.code, await log.lastLines())
    if (round === 1000)
      say(`Postgres is still starting, perhaps recovering from a crash; its log is ${log.file}`)
    await delay(5)
  }
}

/** With a real connection, which is also the authentication that the server answers to its password. */
async function ensureDatabase({ database, ...login }: EmbeddedConnection, folder: string): Promise<void> {
  const sql = postgres({
    ...login,
    database: 'postgres',
    max: 1,
    ssl: false,
    fetch_types: false,
    prepare: false,
  })
  try {
    const found = await sql`select 1 from pg_database where datname = ${database}`
    if (found.length === 0) await sql`create database ${sql(database)}`
  } catch (error) {
    if (errno(error) !== '28P01') throw error
    throw new EmbeddedRefusal(
      `The password in ${folder}/connection.json does not match the data.`,
      `Put the right file back, or start with another folder, or ${useOwnServer}.`,
    )
  } finally {
    await sql.end({ timeout: 1 })
  }
}
