/** The key-encryption keys: a file each in the keys folder, its name the id; refused when others could have touched it. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, link, open as openFile, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../core/folder.js'
import { isOurs, kekOf, makeMac } from './mac.js'
import { open, seal } from './seal.js'

const suffix = '.kek'
/** Of 32 random bytes about 30 are different. Fewer than this never come of chance: zeros, a pattern, a word. */
const leastDifferent = 16
/** 32 bytes in base64 or base64url, nothing but white space around them. */
const content = /^\s*([A-Za-z0-9+/_-]{43})=?\s*$/

/** What a key can be called: a name that somebody else wrote is that of no file otherwise. */
const fileName = /^[^/\p{C}]{1,200}$/u

export interface KeyEncryptionKeys {
  /** Seals under the newest key: the last id in alphabetical order. */
  seal(plain: Buffer, boundTo: string): { kekId: string; sealed: Buffer }
  /** Throws, naming the file that is missing, when the key is not here. */
  open(kekId: string, sealed: Buffer, boundTo: string): Buffer
  /** A MAC of `text` under the newest key, by its id; `isOurs` takes one under any key that is here. */
  mac(purpose: string, text: string): string
  isOurs(purpose: string, text: string, mac: string): boolean
  /** The file that is missing, where that MAC was made under a key that is not here. */
  missingKeyOf(mac: string): string | undefined
  has(kekId: string): boolean
  /** The id of the key that seals now. */
  newest(): string | undefined
  readonly size: number
  /** Looks into the folder again. Where a file has a fault all stays as it was, and the faults are answered. */
  reload(): Promise<readonly string[]>
}

export interface LoadedKeys {
  readonly keys: KeyEncryptionKeys
  /** Each names the file and its fix: the service must not start. */
  readonly faults: readonly string[]
  /** Said once in the log. */
  readonly warnings: readonly string[]
}

export async function loadKeyEncryptionKeys(folder: string): Promise<LoadedKeys> {
  const { keys, faults, warnings } = await readFolder(folder)
  return { keys: keySet(keys, folder), faults, warnings }
}

async function readFolder(folder: string) {
  const faults: string[] = []
  const warnings: string[] = []
  const keys = new Map<string, Buffer>()
  for (const name of await keyFiles(folder, faults)) {
    const path = join(folder, name)
    try {
      if (!(await stat(path)).isFile()) throw Object.assign(new Error('not a file'), { code: 'not a file' })
      const wrong = await checkPermissions(path)
      if (wrong) (wrong.refuse ? faults : warnings).push(wrong.message)
      if (wrong?.refuse) continue
      const match = content.exec(await readFile(path, 'utf8'))
      if (match) keys.set(name.slice(0, -suffix.length), Buffer.from(match[1] as string, 'base64url'))
      else
        faults.push(`${path} is not a key: it must hold 32 random bytes in base64 (openssl rand -base64 32)`)
    } catch (error) {
      faults.push(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}): fix or remove it`)
    }
  }
  const last = [...keys.keys()].sort().at(-1)
  for (const [id, kek] of keys) {
    if (new Set(kek).size >= leastDifferent) continue
    const path = join(folder, id + suffix)
    // Older ones are needed, to open what they have sealed.
    if (id === last) {
      const beside = 'add another one with a later name (openssl rand -base64 32), run `mintmark keys reseal`'
      faults.push(`${path} is not random: ${beside}, then remove it`)
    } else warnings.push(`${path} is not random: run \`mintmark keys reseal\`, then remove it`)
  }
  return { keys, faults, warnings }
}

/** Makes the first key of the embedded default, 0600 in a 0700 folder. Of two that try at once one makes it. */
export async function makeFirstKey(folder: string): Promise<void> {
  await makeFolder(folder, 0o700)
  const unfinished = join(folder, `.${randomBytes(6).toString('hex')}`)
  const file = await openFile(unfinished, 'wx', 0o600)
  await file.writeFile(`${randomBytes(32).toString('base64')}\n`)
  await file.sync()
  await file.close()
  try {
    await link(unfinished, join(folder, `first${suffix}`))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(unfinished)
  }
}

function keySet(loaded: ReadonlyMap<string, Buffer>, folder: string): KeyEncryptionKeys {
  let keys = loaded
  const newest = () => [...keys.keys()].sort().at(-1)
  const sealing = () => {
    const id = newest()
    const kek = id === undefined ? undefined : keys.get(id)
    if (id === undefined || !kek) throw new Error(`there is no key-encryption key in ${folder}`)
    return { id, kek }
  }
  return {
    get size() {
      return keys.size
    },
    missingKeyOf(mac) {
      const kekId = kekOf(mac)
      if (kekId === undefined || !fileName.test(kekId) || keys.has(kekId)) return undefined
      return join(folder, kekId + suffix)
    },
    has: kekId => keys.has(kekId),
    newest,
    async reload() {
      const fresh = await readFolder(folder)
      if (fresh.faults.length === 0) keys = fresh.keys
      return fresh.faults
    },
    seal(plain, boundTo) {
      const { id, kek } = sealing()
      return { kekId: id, sealed: seal(kek, plain, boundTo) }
    },
    mac(purpose, text) {
      const { id, kek } = sealing()
      return makeMac(kek, id, purpose, text)
    },
    isOurs: (purpose, text, mac) => isOurs(id => keys.get(id), purpose, text, mac),
    open(kekId, sealed, boundTo) {
      const kek = keys.get(kekId)
      if (!kek) throw new Error(`the key-encryption key ${join(folder, kekId + suffix)} is missing`)
      try {
        return open(kek, sealed, boundTo)
      } catch (cause) {
        const message = `the key-encryption key ${join(folder, kekId + suffix)} does not open this value; it was sealed with another one`
        throw new Error(message, { cause })
      }
    },
  }
}

async function keyFiles(folder: string, faults: string[]): Promise<string[]> {
  try {
    const names = await readdir(folder)
    // Anybody who writes to the folder can put a newer key in. (A mounted secret's folder is open, and read-only.)
    if ((await stat(folder)).mode & 0o022 && !(await onReadOnlyMount(folder))) {
      faults.push(`the keys folder ${folder} can be written by group or others: chmod 700 ${folder}`)
    }
    return names.filter(name => name.endsWith(suffix) && !name.startsWith('.')).sort()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    faults.push(`the keys folder ${folder} cannot be read (${code}): fix its permissions`)
    return []
  }
}

/** Writable by group or others: always refused. Readable by others: refused too, but on a read-only mount a warning. */
async function checkPermissions(path: string): Promise<{ refuse: boolean; message: string } | undefined> {
  const { mode, uid } = await stat(path)
  const me = process.getuid?.()
  if (me !== undefined && uid !== 0 && uid !== me) {
    return {
      refuse: true,
      message: `${path} belongs to another user, who could change it: chown it to the service's user`,
    }
  }
  if (mode & 0o022) {
    return { refuse: true, message: `${path} can be written by group or others: chmod 600 ${path}` }
  }
  if (mode & 0o004) {
    const message = `${path} can be read by others: chmod 600 ${path} (in Kubernetes: defaultMode 0440 with fsGroup)`
    return { refuse: !(await onReadOnlyMount(path)), message }
  }
  return undefined
}

async function onReadOnlyMount(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS'
  }
}
