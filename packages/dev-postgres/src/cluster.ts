/** The data folder of Postgres and the password beside it: made once, all or nothing, and found again at every start. */
import { randomBytes } from 'node:crypto'
import { chown, mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Account } from './data-directory.js'
import { giveToOwnerOf } from './lock.js'
import type { Log } from './log.js'
import { EmbeddedRefusal, endedEarly, errno, useOwnServer } from './refusal.js'
import { startSupervised } from './supervisor.js'

export interface EmbeddedConnection {
  /** The folder of the server's Unix socket. */
  host: string
  port: number
  user: string
  password: string
  database: string
}

/** Where everything of one embedded Postgres is, and whom it runs as. */
export interface Home {
  readonly folder: string
  readonly binaries: string
  readonly account: Account | undefined
  readonly log: Log
}

export const dataFolder = (folder: string) => join(folder, 'data')

/**
 * Only under the lock of the folder. Answers the password. `version` is that of the binaries; `durable` is false only
 * where losing everything with the power is fine.
 */
export async function ensureCluster(home: Home, version: string, durable: boolean): Promise<string> {
  const { folder } = home
  const [major] = version.split('.')
  for (const name of await readdir(folder)) {
    if (!name.startsWith('making-')) continue
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
  }
  const found = (await readText(join(dataFolder(folder), 'PG_VERSION')))?.trim()
  if (found === undefined) return await makeCluster(home, durable)
  if (found !== major) {
    throw new EmbeddedRefusal(
      `The folder ${folder} contains data of Postgres ${found}, but the installed binaries are Postgres ${major}.`,
      `Dump the data with the version that wrote it, or start with another folder, or ${useOwnServer}.`,
    )
  }
  const connection = await readConnection(folder)
  if (connection) return connection.password
  throw new EmbeddedRefusal(
    `The folder ${folder} contains data, but connection.json with its password is missing.`,
    `Put that file back, or start with another folder, or ${useOwnServer}.`,
  )
}

async function makeCluster({ folder, binaries, account, log }: Home, durable: boolean): Promise<string> {
  const password = randomBytes(24).toString('base64url')
  // Before the data, and on the disk: data without their password would be of no use.
  await writeConnection(folder, { host: '', port: 5432, user: 'mintmark', password, database: 'mintmark' })
  const making = await mkdtemp(join(folder, 'making-'))
  const made = join(making, 'data')
  const passwordFile = join(making, 'password')
  try {
    await mkdir(made, { mode: 0o700 })
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    if (account) for (const path of [passwordFile, made, making]) await chown(path, account.uid, account.gid)
    const identity = ['--username=mintmark', `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    const command = [join(binaries, 'bin', 'initdb'), '-D', made, '--no-instructions', ...identity, ...locale]
    if (!durable) command.push('--no-sync')
    const initdb = await startSupervised(command, { account, log: log.fd })
    const code = await initdb.ended
    if (code !== 0) throw endedEarly(folder, code, await log.lastLines())
    await moveData(made, folder)
    await syncFolder(folder)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return password
}

async function moveData(made: string, folder: string): Promise<void> {
  try {
    await rename(made, dataFolder(folder))
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(errno(error) ?? '')) throw error
    throw new EmbeddedRefusal(
      `${dataFolder(folder)} exists, but it is not a Postgres data folder.`,
      `Remove it, or start with another folder, or ${useOwnServer}.`,
    )
  }
}

/** Undefined if there is none. Readable by its owner only, like the data. */
export async function readConnection(folder: string): Promise<EmbeddedConnection | undefined> {
  const text = await readText(join(folder, 'connection.json'))
  return text === undefined ? undefined : (JSON.parse(text) as EmbeddedConnection)
}

/** Durable and whole: a reader sees the old one or the new one, also after a power loss. */
export async function writeConnection(folder: string, connection: EmbeddedConnection): Promise<void> {
  const making = join(folder, `making-${randomBytes(4).toString('hex')}`)
  const handle = await open(making, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(connection, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await giveToOwnerOf(folder, making)
  await rename(making, join(folder, 'connection.json'))
  await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined
    throw error
  }
}
