/** The launcher of the embedded default: a real Postgres beside the service, started and stopped by it. */
import { join } from 'node:path'
import { findPackage, prepareBinaries } from './binaries.js'
import { dataFolder, type EmbeddedConnection, ensureCluster, readConnection } from './cluster.js'
import { chooseDataDirectory, openDataDirectory } from './data-directory.js'
import { canConnect, takeHold } from './lock.js'
import { type Log, openLog } from './log.js'
import { clearEarlierServer } from './postmaster.js'
import { asRefusal } from './refusal.js'
import { type RunningServer, startServer } from './server.js'

export type { EmbeddedConnection } from './cluster.js'
export { EmbeddedRefusal } from './refusal.js'

export interface EmbeddedPostgres {
  connection: EmbeddedConnection
  /** The data folder really used. */
  folder: string
  pid: number
  /** Fast, and harder after ten seconds; safe to call again, and when the server has died. */
  stop(): Promise<void>
  /** Resolves with the reason when the server ends without `stop()`. */
  died: Promise<string>
}

export interface EmbeddedOptions {
  folder: string
  /** Settings of Postgres beside or above those of the launcher, such as `fsync: 'off'` in tests. */
  settings?: Record<string, string>
  /** Hears what the operator should know, a line at a time. */
  say?: (line: string) => void
}

type Undo = () => Promise<void>

/**
 * Throws EmbeddedRefusal for what can be expected: the folder is in use or cannot be written to, the binaries are
 * missing, the data are of another version. The server lives until `stop()`, and at most as long as this process.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { settings = {}, say = () => {} } = options
  let folder = options.folder
  const taken: Undo[] = []
  const giveBack = async () => {
    for (const undo of taken.reverse()) await undo()
  }
  try {
    const dataDirectory = await chooseDataDirectory(options.folder)
    folder = dataDirectory.folder
    if (dataDirectory.note) say(dataDirectory.note)
    await openDataDirectory(dataDirectory)
    taken.push(await takeHold(folder))
    const found = await findPackage()
    const binaries = await prepareBinaries(found, folder)
    const log = await openLog(folder)
    taken.push(log.close)
    await clearEarlierServer(dataFolder(folder))
    const home = { folder, account: dataDirectory.account, binaries, log }
    const password = await ensureCluster(home, found.version, settings.fsync !== 'off')
    const server = await startServer(home, { password, settings, say })
    return running(folder, server, log, giveBack)
  } catch (error) {
    await giveBack()
    throw asRefusal(error, folder)
  }
}

function running(folder: string, server: RunningServer, log: Log, giveBack: Undo): EmbeddedPostgres {
  let stopping: Promise<void> | undefined
  const died = new Promise<string>(resolve => {
    server.gone.then(async code => {
      if (stopping) return
      const lines = await log.lastLines().catch(() => '')
      resolve(
        `The embedded Postgres in ${folder} stopped unexpectedly (code ${code}). The last lines of its log:\n${lines}`,
      )
    })
  })
  const stop = async () => {
    server.end()
    await server.gone
    await giveBack()
  }
  return {
    connection: server.connection,
    folder,
    pid: server.pid,
    stop: () => {
      stopping ??= stop()
      return stopping
    },
    died,
  }
}

/** For the operator's CLI: the connection of the server now running on that folder, or undefined when none runs. */
export async function findEmbeddedPostgres(folder: string): Promise<EmbeddedConnection | undefined> {
  try {
    const dataDirectory = await chooseDataDirectory(folder)
    const connection = await readConnection(dataDirectory.folder)
    if (!connection?.host) return undefined
    const answers = await canConnect(join(connection.host, `.s.PGSQL.${connection.port}`))
    return answers ? connection : undefined
  } catch (error) {
    throw asRefusal(error, folder)
  }
}
