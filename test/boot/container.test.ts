/** What a process may take of its machine, read from control groups as Linux shows them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { type Test, test } from 'tap'
import { ownShare } from '../../src/boot/container.js'

const MiB = 2 ** 20

/** The files of a machine, by their paths; `own` is /proc/self/cgroup. */
function machine(t: Test, own: string, files: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-groups-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries({ ...files, own })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), `${text}\n`)
  }
  return ownShare({ mounted: folder, own: join(folder, 'own') })
}

test('a container under version 2: its own group is what is mounted', async t => {
  const share = machine(t, '0::/', { 'memory.max': String(512 * MiB), 'cpu.max': '50000 100000' })
  t.same(share, { memoryBytes: 512 * MiB, processors: 0.5 })
})

test('under version 2 the least limit on the way up counts', async t => {
  const share = machine(t, '0::/system.slice/mintmark.service', {
    'system.slice/memory.max': String(300 * MiB),
    'system.slice/cpu.max': 'max 100000',
    'system.slice/mintmark.service/memory.max': 'max',
    'system.slice/mintmark.service/cpu.max': '25000 100000',
    'system.slice/other.service/memory.max': String(MiB),
  })
  t.same(share, { memoryBytes: 300 * MiB, processors: 0.25 })
})

test('under version 1 each controller has a folder and a path of its own', async t => {
  const own = '9:name=systemd:/\n4:memory:/a/b\n3:cpuset:/x\n2:cpu,cpuacct:/c\n0::/'
  const share = machine(t, own, {
    'memory/memory.limit_in_bytes': '9223372036854771712',
    'memory/a/memory.limit_in_bytes': String(256 * MiB),
    'memory/a/b/memory.limit_in_bytes': String(512 * MiB),
    'cpu/c/cpu.cfs_quota_us': '20000',
    'cpu/c/cpu.cfs_period_us': '100000',
    'cpuset/x/memory.limit_in_bytes': '1',
  })
  t.same(share, { memoryBytes: 256 * MiB, processors: 0.2 })
})

test('a path of the host, which is not there in the container, leads to what is mounted', async t => {
  const second = machine(t, '0::/../../kubepods/pod1/c1', { 'memory.max': String(64 * MiB) })
  t.equal(second.memoryBytes, 64 * MiB)
  const first = machine(t, '4:memory:/docker/c1\n1:cpu:/docker/c1', {
    'memory/memory.limit_in_bytes': String(64 * MiB),
    'cpu/cpu.cfs_quota_us': '30000',
    'cpu/cpu.cfs_period_us': '100000',
  })
  t.same(first, { memoryBytes: 64 * MiB, processors: 0.3 })
})

test('where there is no limit, or nothing to read, the machine is the limit', async t => {
  const whole = { memoryBytes: totalmem(), processors: availableParallelism() }
  t.same(machine(t, '0::/', { 'memory.max': 'max', 'cpu.max': 'max 100000' }), whole)
  const unlimited = { 'memory/memory.limit_in_bytes': '9223372036854771712', 'cpu/cpu.cfs_quota_us': '-1' }
  t.same(machine(t, '4:memory:/\n1:cpu:/', { ...unlimited, 'cpu/cpu.cfs_period_us': '100000' }), whole)
  t.same(machine(t, '', {}), whole)
  t.same(machine(t, 'what is this', { 'memory.max': 'x', 'cpu.max': 'x y z' }), whole)
  t.same(ownShare({ mounted: '/nowhere', own: '/nowhere' }), whole)
})

test('the files of this very process are read', async t => {
  t.match(readFileSync('/proc/self/cgroup', 'utf8'), /^\d+:.*:\//m)
  const { memoryBytes, processors } = ownShare()
  t.ok(memoryBytes > 32 * MiB && memoryBytes <= totalmem())
  t.ok(processors > 0 && processors <= availableParallelism())
})
