/** A package of ours as it is published: packed, and installed in an empty project. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { root } from './project.mjs'

export interface Packed {
  /** A folder for whatever the test makes beside the project. */
  readonly folder: string
  readonly project: string
  readonly tarball: string
  readonly bytes: number
  /** What the tarball holds, but for what was compiled. */
  readonly files: readonly string[]
  readonly manifest: Record<string, Record<string, string>>
  /** What its installation brought into node_modules. */
  readonly brought: readonly string[]
}

/** As if nothing were around: `npm test` tells its children which folder they are in. */
const env = Object.fromEntries(
  Object.entries({ ...process.env, NODE_OPTIONS: undefined, NO_COLOR: '1' }).filter(
    ([name]) => !/^npm_(?!config_(registry|cache|userconfig)$)/.test(name),
  ),
)

/** What a command printed; a failure throws with it. The test runner's hooks into each Node are left behind. */
export async function runIn(cwd: string, command: string, ...args: string[]): Promise<string> {
  const without = ['-u', 'NODE_OPTIONS', command, ...args]
  const { stdout } = await promisify(execFile)('env', without, { cwd, env })
  return stdout
}

export async function packed(t: Test, name: string): Promise<Packed> {
  const folder = mkdtempSync(join(tmpdir(), `mintmark-${name}-`))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const pack = ['pack', `./packages/${name}`, '--json', '--pack-destination', folder]
  const [made] = JSON.parse(await runIn(root, 'npm', ...pack))
  const tarball = join(folder, made.filename)
  const project = join(folder, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await runIn(project, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball)
  const files: string[] = made.files.map(({ path }: { path: string }) => path)
  const installed = join(project, 'node_modules')
  return {
    folder,
    project,
    tarball,
    bytes: made.size,
    files: files.filter(path => !/^dist\/[a-z-]+(\.d)?\.(js|ts)$/.test(path)).sort(),
    manifest: JSON.parse(readFileSync(join(installed, '@mintmark', name, 'package.json'), 'utf8')),
    brought: readdirSync(installed)
      .filter(name => !name.startsWith('.'))
      .sort(),
  }
}
