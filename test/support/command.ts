/** The operator's commands on a test's database, reached by TCP as in production. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeFirstKey } from '../../src/sealing/key-encryption-keys.js'
import type { TestDatabase } from './database.js'
import { run } from './process.js'
import { issuer } from './service.js'
import { forwarded } from './tcp.js'

export interface Said {
  readonly code: number | NodeJS.Signals
  readonly out: string
  readonly err: string
}

export interface Surroundings {
  readonly cwd: string
  readonly env: Record<string, string>
}

/** `keysFolder` is the service's; without one the commands have a key-encryption key of their own. */
export async function surroundings(
  t: Test,
  { address }: TestDatabase,
  keysFolder?: string,
  more: Record<string, string> = {},
): Promise<Surroundings> {
  const cwd = await mkdtemp(join(tmpdir(), 'mintmark-command-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  if (keysFolder === undefined) await makeFirstKey(join(cwd, 'keys'))
  const { user, password, database } = address
  const host = `127.0.0.1:${await forwarded(t)}`
  const env = {
    DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}/${database}`,
    ISSUER: issuer,
    MINTMARK_OUTBOX_FOLDER: 'mail',
    MINTMARK_KEYS_FOLDER: keysFolder ?? 'keys',
    ...more,
  }
  return { cwd, env }
}

export async function commandLine(
  t: Test,
  ...of: [database: TestDatabase, keysFolder?: string, more?: Record<string, string>]
): Promise<(...args: string[]) => Promise<Said>> {
  const say = await commandLineWithInput(t, ...of)
  return (...args) => say('', ...args)
}

/** What is typed comes first. */
export async function commandLineWithInput(
  t: Test,
  ...of: [database: TestDatabase, keysFolder?: string, more?: Record<string, string>]
): Promise<(input: string, ...args: string[]) => Promise<Said>> {
  const { cwd, env } = await surroundings(t, ...of)
  return async (input, ...args) => {
    const command = run(t, 'cli.js', args, cwd, env)
    command.child.stdin?.end(input)
    const code = await command.exited
    return { code, out: command.stdout(), err: command.stderr() }
  }
}
