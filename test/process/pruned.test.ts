/** What the README tells an operator to do after `npm prune --omit=dev` works: the commands, by npx. */
import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { root } from '../support/project.mjs'

/** A copy of this checkout, built, with the packages that the lock file has for production alone. */
async function pruned(t: Test): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'mintmark-pruned-'))
  t.teardown(() => rm(tree, { recursive: true, force: true }))
  for (const name of ['package.json', 'package-lock.json', 'scripts', 'packages', 'dist'])
    await cp(join(root, name), join(tree, name), { recursive: true })
  for (const name of ['drizzle', 'public']) await symlink(join(root, name), join(tree, name))
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  const modules = join(root, 'node_modules')
  await mkdir(join(tree, 'node_modules/@mintmark'), { recursive: true })
  await symlink(join(tree, 'packages/verifier'), join(tree, 'node_modules/@mintmark/verifier'))
  for (const name of await readdir(modules)) {
    const isFor = (pkg: string) => packages[`node_modules/${pkg}`] && !packages[`node_modules/${pkg}`].dev
    const inScope = name.startsWith('@') ? await readdir(join(modules, name)) : undefined
    const wanted = inScope ? inScope.some(one => isFor(`${name}/${one}`)) : isFor(name)
    if (wanted && name !== '@mintmark') await symlink(join(modules, name), join(tree, 'node_modules', name))
  }
  return tree
}

test('`npx mintmark` runs where the compiler is pruned away', async t => {
  const tree = await pruned(t)
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, npm_config_cache: join(tree, '.npm'), npm_config_offline: 'true' }
  const inTree = (command: string, ...args: string[]) =>
    spawnSync(command, args, { cwd: tree, env, encoding: 'utf8' })
  const { status, stdout, stderr } = inTree('npx', 'mintmark', '--help')
  t.equal(status, 0, stderr)
  t.match(stdout, /Commands:\n {2}migrate /)
  await rm(join(tree, 'dist'), { recursive: true })
  const unbuilt = inTree('node', 'scripts/prepare.mjs')
  t.equal(unbuilt.status, 1)
  t.match(unbuilt.stderr, /run `npm ci` first/, 'where nothing is built it says so')
})
