/** The lock on a data folder: one living process has it, and it is gone with that process, however it ends. */
import {
  chmod,
  lchown,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pid } from 'node:process'
import { isRoot } from './data-directory.js'
import { EmbeddedRefusal, errno } from './refusal.js'

/**
 * A lock is a folder `hold.<number>` with a Unix socket that its holder listens on: the kernel closes it with the
 * process, so connecting tells the living from the dead, without pids that may belong to somebody else by now.
 *
 * Nobody cleans up a dead lock to take its place, which two could do at once. Who finds the highest number dead takes
 * the next one by renaming a folder that listens already: renaming fails when the number is taken. The highest
 * number is never removed, and who finds a higher one than the number just taken was late and gives it up.
 *
 * Answers with what lets it go.
 */
export async function takeHold(folder: string): Promise<() => Promise<void>> {
  for (;;) {
    const highest = await highestHold(folder)
    if (await isListening(holdFolder(folder, highest))) throw await inUse(folder, highest)
    const number = highest + 1
    const { server, taken } = await take(folder, number)
    if (taken && (await highestHold(folder)) === number) {
      await removeLower(folder, number)
      return () => close(server)
    }
    await close(server)
  }
}

async function take(folder: string, number: number): Promise<{ server: Server; taken: boolean }> {
  const making = await mkdtemp(join(folder, 'hold-making-'))
  const server = createServer(socket => socket.destroy()).unref()
  try {
    await writeFile(join(making, 'pid'), `${pid}\n`, { mode: 0o644 })
    await withShortPath(making, path => listen(server, join(path, 's')))
    // Others must be able to ask. What guards the lock are the permissions of the folder around it.
    await chmod(join(making, 's'), 0o666)
    await chmod(making, 0o755)
    await giveToOwnerOf(folder, making, join(making, 'pid'))
    await rename(making, holdFolder(folder, number))
    return { server, taken: true }
  } catch (error) {
    // Swept away by another that has taken it (listening then says EACCES), or the number is taken.
    const swept = !(await stat(making).catch(() => undefined))
    await rm(making, { recursive: true, force: true })
    if (swept || ['EEXIST', 'ENOTEMPTY', 'ENOENT'].includes(errno(error) ?? ''))
      return { server, taken: false }
    await close(server)
    throw error
  }
}

/** Root may work in a folder of somebody else, who must be able to go on there alone. */
export async function giveToOwnerOf(folder: string, ...made: string[]): Promise<void> {
  if (!isRoot()) return
  const { uid, gid } = await stat(folder)
  for (const path of made) await lchown(path, uid, gid)
}

async function inUse(folder: string, number: number): Promise<EmbeddedRefusal> {
  const holder = await readFile(join(holdFolder(folder, number), 'pid'), 'utf8').catch(() => 'unknown')
  return new EmbeddedRefusal(
    `The data folder ${folder} is in use by the process with pid ${holder.trim()}.`,
    'Stop that process, or use another folder.',
  )
}

const holdFolder = (folder: string, number: number) => join(folder, `hold.${number}`)

function numberOf(name: string): number | undefined {
  const number = /^hold\.(\d+)$/.exec(name)?.[1]
  return number === undefined ? undefined : Number(number)
}

async function highestHold(folder: string): Promise<number> {
  return Math.max(0, ...(await readdir(folder)).map(name => numberOf(name) ?? 0))
}

/** And what starts left that were interrupted. */
async function removeLower(folder: string, number: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('hold-making-') || (numberOf(name) ?? number) < number)
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
  }
}

async function isListening(hold: string): Promise<boolean> {
  return await withShortPath(hold, path => canConnect(join(path, 's')))
}

/** Whether somebody listens. Only the kernel's plain "nobody" is a no: a full queue or a refused permission is not. */
export function canConnect(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    socket.on('error', error => resolve(!['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes(errno(error) ?? '')))
    socket.on('connect', () => {
      resolve(true)
      socket.destroy()
    })
  })
}

/** A socket's path has at most 107 bytes (103 on macOS); a link from a short place leads to any folder. */
async function withShortPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const short = await mkdtemp(join(shortTemporaryFolder(), 'mintmark-'))
  try {
    await symlink(folder, join(short, 'f'))
    return await use(join(short, 'f'))
  } finally {
    await rm(short, { recursive: true, force: true })
  }
}

export function shortTemporaryFolder(): string {
  return tmpdir().length <= 60 ? tmpdir() : '/tmp'
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen({ path, exclusive: true }, resolve)
  })
}

function close(server: Server): Promise<void> {
  // Also when it never came to listen.
  return new Promise(resolve => server.close(() => resolve()))
}
