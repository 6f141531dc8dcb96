/** Postgres processes that are not ours to wait for: what postmaster.pid says, who that really is, and ending an orphan. */
import { execFile } from 'node:child_process'
import { readFile, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { kill, platform } from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { errno } from './refusal.js'

export interface Postmaster {
  pid: number
  socketFolder: string
  ready: boolean
}

export async function readPostmaster(data: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n').map(line => line.trim())
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return { pid, socketFolder: lines[4] ?? '', ready: lines[7] === 'ready' }
}

export function isAlive(pid: number): boolean {
  try {
    return kill(pid, 0)
  } catch (error) {
    return errno(error) === 'EPERM'
  }
}

/** The setting that stands on the command line of every server of ours and of no other. */
export function socketSetting(socketFolder: string): string {
  return `unix_socket_directories=${socketFolder}`
}

/** Ends the server of an earlier start if that very server is still there: fast, then at once. */
export async function endServer(pid: number, socketFolder: string): Promise<void> {
  for (let round = 0; (await commandLine(pid)).includes(socketSetting(socketFolder)); round += 1) {
    // A start that has only just begun ignores the first signal, hence again and again; a frozen one must wake.
    signal(pid, round < 500 ? 'SIGINT' : round < 800 ? 'SIGQUIT' : 'SIGKILL')
    signal(pid, 'SIGCONT')
    await delay(20)
  }
}

/**
 * Only under the lock of the folder: whatever still runs there has lost its service, and a postmaster.pid that names
 * anything but a Postgres is stale, anybody who has that pid now. (Should backends live on without their postmaster,
 * Postgres finds their shared memory and refuses by itself.)
 */
export async function clearEarlierServer(data: string): Promise<void> {
  const earlier = await readPostmaster(data)
  if (!earlier) return
  await endServer(earlier.pid, earlier.socketFolder)
  const program = (await commandLine(earlier.pid)).split('\0')[0] ?? ''
  if (basename(program) === 'postgres') return
  await rm(join(data, 'postmaster.pid'), { force: true })
  await removeSocketFolder(earlier.socketFolder)
}

export async function removeSocketFolder(folder: string): Promise<void> {
  if (!basename(folder).startsWith('mintmark-')) return
  for (const name of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock']) await rm(join(folder, name), { force: true })
  await rmdir(folder).catch(() => {})
}

/** Empty when there is no such process, or only what is left of one that ended. */
async function commandLine(pid: number): Promise<string> {
  if (!isAlive(pid)) return ''
  if (platform === 'linux') return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const ps = promisify(execFile)('/bin/ps', ['-ww', '-o', 'command=', '-p', String(pid)], { env: {} })
  const { stdout } = await ps.catch(() => ({ stdout: '' }))
  return stdout.trim().replaceAll(' ', '\0')
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    kill(pid, name)
  } catch (error) {
    if (errno(error) !== 'ESRCH') throw error
  }
}
