/** A control group of a test's own, below that of this process: what a container's limits are made of. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { eventually } from './service.js'

const mounted = '/sys/fs/cgroup'
const period = 100_000

export interface ControlGroup {
  /** Put before a command: it runs in the group, and so do its children. */
  readonly prefix: readonly string[]
}

/** Undefined where this process may make none. */
export function controlGroup(
  t: Test,
  { memoryBytes, processors }: { readonly memoryBytes: number; readonly processors: number },
): ControlGroup | undefined {
  const name = `mintmark-test-${process.pid}`
  const quota = String(processors * period)
  const groups = [
    { controller: '', limits: { 'memory.max': String(memoryBytes), 'cpu.max': `${quota} ${period}` } },
    { controller: 'memory', limits: { 'memory.limit_in_bytes': String(memoryBytes) } },
    { controller: 'cpu', limits: { 'cpu.cfs_period_us': String(period), 'cpu.cfs_quota_us': quota } },
  ].flatMap(({ controller, limits }) => {
    const own = ownPath(controller)
    return own === undefined ? [] : [{ folder: join(mounted, controller, own, name), limits }]
  })
  const made = groups.filter(({ folder, limits }) => make(t, folder, limits))
  const files = made.flatMap(({ limits }) => Object.keys(limits))
  if (!files.some(file => /^memory/.test(file)) || !files.some(file => /^cpu/.test(file))) return undefined
  const enter = made.map(({ folder }) => `echo $$ > ${folder}/cgroup.procs`).join(' && ')
  return { prefix: ['sh', '-c', `${enter} && exec "$0" "$@"`] }
}

function ownPath(controller: string): string | undefined {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')
  const fields = lines.map(line => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])
  return fields.find(([, names = '-']) => names.split(',').includes(controller))?.[2]
}

function make(t: Test, folder: string, limits: Readonly<Record<string, string>>): boolean {
  try {
    mkdirSync(folder)
  } catch {
    return false
  }
  // Once the last of its processes has ended.
  t.teardown(() => eventually(() => removed(folder), 10))
  try {
    for (const [file, value] of Object.entries(limits)) {
      if (!existsSync(join(folder, file))) return false
      writeFileSync(join(folder, file), value)
    }
    return true
  } catch {
    return false
  }
}

function removed(folder: string): true | undefined {
  try {
    rmdirSync(folder)
    return true
  } catch {
    return undefined
  }
}
