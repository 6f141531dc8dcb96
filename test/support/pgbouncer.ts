/** A real PgBouncer between the service and the tests' Postgres. */
import { spawn } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { TestDatabase } from './database.js'
import { freePort } from './free-port.js'
import { eventually } from './service.js'

/** For tap's `skip`: says why on a laptop without PgBouncer; in CI test/run.mjs has failed already. */
export const skipWithoutPgbouncer = process.env.TEST_PGBOUNCER === undefined && 'pgbouncer is not installed'

export interface PoolerOptions {
  readonly mode: 'session' | 'transaction'
  /** Parameters of a session's start that it takes and does nothing with; it refuses the others. */
  readonly ignores?: readonly string[]
}

/** It runs as nobody: as root it refuses to. */
const nobody = 65534

/** Where it is reached; user and password are those of `behind`, whatever the client says. */
export async function pgbouncer(
  t: Test,
  behind: TestDatabase['address'],
  { mode, ignores = [] }: PoolerOptions,
): Promise<TestDatabase['address']> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-pgbouncer-'))
  const port = await freePort()
  const { host, user, password, database } = behind
  const server = `host=${host} port=${behind.port} dbname=${database} user=${user}${password && ` password=${password}`}`
  const file = join(folder, 'pgbouncer.ini')
  await writeFile(
    file,
    `[databases]
${database} = ${server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
ignore_startup_parameters = ${['extra_float_digits', ...ignores].join(',')}
`,
  )
  const asRoot = process.getuid?.() === 0
  if (asRoot) {
    await chmod(folder, 0o700)
    for (const path of [folder, file]) await chown(path, nobody, nobody)
  }
  const child = spawn('pgbouncer', [file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(asRoot && { uid: nobody, gid: nobody }),
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  })
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended: ${said}`)
    return (await accepts(port)) || undefined
  }, 30)
  return { ...behind, host: '127.0.0.1', port }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1')
    socket
      .once('error', () => resolve(false))
      .once('connect', () => {
        socket.destroy()
        resolve(true)
      })
  })
}
