/** Planted bugs: each a patch against a copy of the sources, which one directed schedule must expose, or a file of tests. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Cluster } from './cluster/cluster.js'
import { play, report } from './play.js'
import { schedulesFor } from './schedules/index.js'

const run = promisify(execFile)
/** What the copy has of its own. */
const made = new Set(['src', 'dist', 'build', 'drizzle', 'packages', 'test', '.git'])
const patches = 'test/fault/mutants'

const rules = 'test/verifier/feed-rules.test.ts'
const tick = 'test/feed/tick.test.ts'
const causes = 'test/feed/causes.test.ts'
/** Where no random or directed schedule is the natural detector: these tests must fail with the patch. */
const seenByTests: Readonly<Record<string, string>> = {
  'feed-gap-accepted': rules,
  'feed-older-generation': rules,
  'feed-no-reset': rules,
  'feed-own-clock-eviction': rules,
  'feed-half-lifetime': rules,
  'feed-age-by-arrival': 'test/verifier/feed.test.ts',
  'feed-asof-after': tick,
  'feed-kick-joins-tick': tick,
  'feed-evict-by-cause': tick,
  'feed-trigger-dropped': causes,
  'feed-entry-outside': causes,
  'feed-counters': causes,
  'feed-published-before-commit': 'test/feed/sequence.test.ts',
}

/** Answers, one by one, whether each was caught. */
export async function runMutants(
  cluster: Cluster,
  print: (line: string) => void,
  only?: string,
): Promise<boolean[]> {
  const schedules = schedulesFor(cluster.store)
  const exposed = new Set(schedules.flatMap(({ exposes = [] }) => exposes))
  const elsewhere = new Set(
    schedulesFor(cluster.store === 'postgres' ? 'redis' : 'postgres').flatMap(({ exposes = [] }) => exposes),
  )
  const names = (await readdir(patches))
    .filter(name => name.endsWith('.patch'))
    .filter(name => exposed.has(basename(name, '.patch')) || !elsewhere.has(basename(name, '.patch')))
    .sort()
  // Told once, and not for each store.
  if (cluster.store !== 'postgres')
    names.splice(0, names.length, ...names.filter(name => !seenByTests[basename(name, '.patch')]))
  const results: boolean[] = []
  for (const name of names.map(name => basename(name, '.patch'))) {
    if (only !== undefined && !name.includes(only)) continue
    const { caught, told } = await (seenByTests[name] ? runTests(name) : runMutant(cluster, name))
    print(`${caught ? 'caught' : 'MISSED'}  ${name}: ${told}`)
    results.push(caught)
  }
  const missing = schedules
    .flatMap(({ exposes = [] }) => exposes)
    .filter(name => !names.includes(`${name}.patch`))
  for (const name of only === undefined ? missing : []) {
    print(`MISSED  ${name}: there is no ${patches}/${name}.patch`)
    results.push(false)
  }
  return results
}

export async function runMutant(cluster: Cluster, name: string): Promise<{ caught: boolean; told: string }> {
  const schedule = schedulesFor(cluster.store).find(({ exposes }) => exposes?.includes(name))
  if (!schedule) return { caught: false, told: 'no schedule names it' }
  const tree = await mkdtemp(join(tmpdir(), 'mm-'))
  try {
    await plant(tree, name)
    const fleet = await cluster.fleet(tree, 2)
    try {
      const env = (await schedule.tells?.(cluster)) ?? {}
      await Promise.all(fleet.instances.map(instance => instance.start({ env })))
      const played = await play(cluster, fleet, tree, schedule)
      // One that only crashes was not caught at what it does.
      const seen = played.violations.filter(({ says }) => !says.includes('ended by itself'))
      return { caught: seen.length > 0, told: report(played) }
    } finally {
      await fleet.close()
    }
  } catch (error) {
    return { caught: false, told: (error as Error).message }
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

/** Its tests alone, on what was planted: they compile, and one of them fails. */
async function runTests(name: string): Promise<{ caught: boolean; told: string }> {
  const file = seenByTests[name] ?? ''
  const tree = await mkdtemp(join(tmpdir(), 'mm-'))
  try {
    await plant(tree, name)
    const ran = await run(process.execPath, ['test/run.mjs', file], { cwd: tree, maxBuffer: 2 ** 26 }).catch(
      (error: { stdout?: string }) => error,
    )
    // The lines of tests themselves: one of the whole file is there as well when it could not be run.
    const failed = [...(ran.stdout ?? '').matchAll(/^ +not ok \d+ - (.*?)( # .*)?$/gm)].map(
      ([, says]) => says,
    )
    return { caught: failed.length > 0, told: `${file}: ${failed[0] ?? 'nothing failed'}` }
  } catch (error) {
    return { caught: false, told: (error as Error).message }
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

/** A copy of what is built, with the patch in it; whatever does not change is linked. */
async function plant(tree: string, name: string): Promise<void> {
  const filter = (path: string) => !path.includes('node_modules')
  for (const folder of ['src', 'drizzle', 'packages', 'test'])
    await cp(folder, join(tree, folder), { recursive: true, filter })
  for (const name of await readdir('.')) {
    if (!made.has(name)) await symlink(resolve(name), join(tree, name))
  }
  await run('patch', ['--quiet', '-p1', '-i', resolve(patches, `${name}.patch`)], { cwd: tree })
  await run('npm', ['run', '--silent', 'build:service'], { cwd: tree })
}
