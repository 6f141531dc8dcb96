/** What this process may take of its machine: memory and processors, as the control groups of its container bound them. */
import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'

export interface Share {
  readonly memoryBytes: number
  /** May be a fraction: 1.5 is a processor and a half. */
  readonly processors: number
}

/** Where Linux shows them (cgroups(7)). */
export interface ControlGroups {
  /** Version 2 is mounted here, or each controller of version 1 in a folder of its own name. */
  readonly mounted: string
  /** Which groups this process is in. */
  readonly own: string
}

const onLinux: ControlGroups = { mounted: '/sys/fs/cgroup', own: '/proc/self/cgroup' }

/**
 * Node counts the processors of the host, whatever quota there is (until version 22), and a host has more memory than
 * its containers may use. A group's limit holds for those in it, so the least one on the way up counts.
 */
export function ownShare(groups: ControlGroups = onLinux): Share {
  const folders = foldersOf(groups)
  return {
    memoryBytes: least([totalmem(), ...folders.map(memoryLimit)]),
    processors: least([availableParallelism(), ...folders.map(processorQuota)]),
  }
}

/**
 * The folders of its groups and of those above them. Inside a container a path may be that of the host, where nothing
 * is in here: the container's own group is then what is mounted.
 */
function foldersOf({ mounted, own }: ControlGroups): string[] {
  return linesOf(own).flatMap(line => {
    const [, controllers = 'none', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    // Version 2 has one line, without a name.
    const folders = controllers.split(',').filter(name => ['', 'memory', 'cpu'].includes(name))
    const parts = join('/', path).split('/').filter(Boolean)
    return folders.flatMap(folder =>
      [...parts, ''].map((_, depth) => join(mounted, folder, ...parts.slice(0, depth))),
    )
  })
}

function memoryLimit(folder: string): number {
  return least([number(folder, 'memory.max'), number(folder, 'memory.limit_in_bytes')])
}

/** A quota is time on any processors in each period, both in microseconds. */
function processorQuota(folder: string): number {
  const [quota, period] = linesOf(join(folder, 'cpu.max')).join().split(' ')
  const second = number(folder, 'cpu.cfs_quota_us') / number(folder, 'cpu.cfs_period_us')
  return least([Number(quota) / Number(period), second])
}

function number(folder: string, file: string): number {
  return Number.parseInt(linesOf(join(folder, file)).join(), 10)
}

/** What is `max`, −1, missing or no number is no limit. */
function least(values: readonly number[]): number {
  return Math.min(...values.filter(value => value > 0))
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}
