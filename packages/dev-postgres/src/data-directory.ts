/** Where the data lies and as whom Postgres runs: it refuses root, and must reach its folder as somebody else. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { getuid } from 'node:process'
import { EmbeddedRefusal, errno, useOwnServer } from './refusal.js'

export interface Account {
  uid: number
  gid: number
}

export interface DataDirectory {
  folder: string
  /** Whom Postgres runs as; undefined: as anybody who runs the service. */
  account: Account | undefined
  /** What the operator should hear about the choice. */
  note: string | undefined
}

/** Root's own corner of the system's state: readable by everyone, writable by root alone. */
export const stateFolder = '/var/lib/mintmark'

export function isRoot(): boolean {
  return getuid?.() === 0
}

/** Decides and changes nothing, so that the operator's CLI comes to the same answer as the service. */
export async function chooseDataDirectory(asked: string): Promise<DataDirectory> {
  const folder = await realPath(resolve(asked))
  if (!isRoot()) return { folder, account: undefined, note: undefined }
  const account = await accountFor(folder)
  const fallback = join(stateFolder, createHash('sha256').update(folder).digest('hex').slice(0, 16))
  const reachable = await canReach(folder, account)
  // Data once put there stay the service's data, also when somebody opens the asked folder later.
  if (reachable && ((await holdsData(folder)) || !(await holdsData(fallback)))) {
    return { folder, account, note: undefined }
  }
  const why = reachable ? 'already exists there' : `cannot be in ${folder}, which its user cannot reach`
  const note = `Postgres does not run as root, and its data ${why}. The data folder is ${fallback}`
  return { folder: fallback, account: await accountFor(fallback), note }
}

export async function openDataDirectory({ folder, account }: DataDirectory): Promise<void> {
  await makeFolder(folder, account ? 0o711 : 0o700)
  // Its owner is root and it is nobody else's: passing through is all that Postgres needs here.
  if (account && (await isOurs(folder))) await chmod(folder, 0o711)
}

/** Whatever the umask: parents that are made here can be passed by everyone when root makes them. */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  const first = await makeMissing(folder, isRoot() ? 0o755 : mode)
  if (first === undefined) return
  await chmod(folder, mode)
  if (!isRoot()) return
  for (let made = folder; made !== first; ) {
    made = dirname(made)
    await chmod(made, 0o755)
  }
}

/**
 * Answers the first folder that was missing. Not by Node's `recursive`, which never ends under a folder that takes none,
 * as /proc.
 */
async function makeMissing(folder: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(folder, { mode })
    return folder
  } catch (error) {
    if (errno(error) === 'EEXIST' && (await stat(folder)).isDirectory()) return undefined
    const parent = dirname(folder)
    const missing = parent !== folder && !(await stat(parent).catch(() => undefined))
    if (errno(error) !== 'ENOENT' || !missing) throw error
    const first = await makeMissing(parent, mode)
    return (await makeMissing(folder, mode)) && (first ?? folder)
  }
}

/** Existing data keep their owner; a folder of somebody's gets that user's; the rest is nobody's. */
async function accountFor(folder: string): Promise<Account> {
  const data = await stat(join(folder, 'data')).catch(() => undefined)
  if (data && data.uid !== 0) return { uid: data.uid, gid: data.gid }
  const owner = await stat(folder).catch(() => undefined)
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  const user =
    users.find(([, , uid]) => owner && owner.uid !== 0 && Number(uid) >>> 0 === owner.uid) ??
    users.find(([name]) => name === 'nobody')
  if (!user) {
    throw new EmbeddedRefusal(
      'Postgres does not run as root, and this system has no user "nobody" for it.',
      `Start the service as a regular user, or ${useOwnServer}.`,
    )
  }
  return { uid: Number(user[2]) >>> 0, gid: Number(user[3]) >>> 0 }
}

export async function canReach(folder: string, account: Account): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined)
    if (found && !mayPass(found, account) && !(at === folder && (await isOurs(folder)))) return false
    if (at === dirname(at)) return true
  }
}

function mayPass(found: { mode: number; uid: number; gid: number }, account: Account): boolean {
  if (found.uid === account.uid) return (found.mode & 0o100) !== 0
  if (found.gid === account.gid) return (found.mode & 0o010) !== 0
  return (found.mode & 0o001) !== 0
}

/** Root's, and either empty or used by this launcher before: its mode is ours to set. */
async function isOurs(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.uid !== 0) return false
  const entries = await readdir(folder)
  return entries.length === 0 || entries.some(name => name.startsWith('hold'))
}

async function holdsData(folder: string): Promise<boolean> {
  return (await stat(join(folder, 'data', 'PG_VERSION')).catch(() => undefined)) !== undefined
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (errno(error) !== 'ENOENT' || path === dirname(path)) throw error
    return join(await realPath(dirname(path)), basename(path))
  }
}
