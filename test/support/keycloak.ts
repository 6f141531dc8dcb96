/** A real Keycloak, for the long form of the suite: fetched once with Maven, kept in the user's cache, started in half a minute. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.js'
import {
  administrator,
  type KeycloakAdmin,
  type KeycloakPerson,
  people,
  realmFile,
} from './keycloak-realm.js'

const version = '26.7.3'
const artifact = `org.keycloak:keycloak-quarkus-dist:${version}:zip`
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'mintmark-test')

const missing = () => ['mvn', 'java'].find(command => spawnSync(command, ['-version']).status !== 0)

/** For tap's `skip`: says why. */
export function skipWithoutKeycloak(): string | false {
  if (existsSync(join(cache, `keycloak-${version}`)) && spawnSync('java', ['-version']).status === 0)
    return false
  const command = missing()
  return command !== undefined && `${command} is not installed`
}

export interface KeycloakOptions {
  readonly redirectUri: string
  readonly backchannelLogoutUri?: string
  readonly postLogoutRedirectUri?: string
}

export interface Keycloak extends KeycloakAdmin {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Ada, who is verified and in a group, and Bob, who is neither. */
  readonly people: readonly KeycloakPerson[]
  close(): Promise<void>
}

const clientId = 'mintmark'
const clientSecret = 'a-secret-of-the-tests-that-is-long-enough'

/** The heap that its own script has for a desktop; the first compiler alone is faster on so short a run. */
const java = { JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx512m', JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1' }
const environment = (more: Record<string, string> = {}) => ({
  PATH: process.env.PATH ?? '',
  HOME: homedir(),
  ...(process.env.JAVA_HOME && { JAVA_HOME: process.env.JAVA_HOME }),
  ...java,
  ...more,
})

/**
 * Unpacked, and built for a database in memory, which takes Keycloak as long as a start. Both happen beside the place and
 * are moved there: of several runs at once one wins, and none meets half of it.
 */
async function distribution(): Promise<string> {
  const place = join(cache, `keycloak-${version}`)
  if (existsSync(place)) return place
  const command = missing()
  if (command !== undefined) throw new Error(`Keycloak needs ${command}, which is not installed`)
  await mkdir(cache, { recursive: true })
  const beside = await mkdtemp(join(cache, 'unpacked-'))
  const run = promisify(execFile)
  try {
    await run('mvn', [
      '-q',
      '-B',
      'dependency:unpack',
      `-Dartifact=${artifact}`,
      `-DoutputDirectory=${beside}`,
    ])
    const made = join(beside, `keycloak-${version}`)
    await run('sh', ['bin/kc.sh', 'build', '--db=dev-mem'], { cwd: made, env: environment() })
    await rename(made, place).catch(error => {
      if (!existsSync(place)) throw error
    })
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
  return place
}

export async function startKeycloak(options: KeycloakOptions): Promise<Keycloak> {
  const from = await distribution()
  const home = await mkdtemp(join(tmpdir(), 'mintmark-keycloak-'))
  // Its script takes the folder above its own for home: everything that is read is shared, what is written is not.
  await mkdir(join(home, 'bin'))
  await mkdir(join(home, 'data', 'import'), { recursive: true })
  await writeFile(join(home, 'bin', 'kc.sh'), await readFile(join(from, 'bin', 'kc.sh')))
  for (const name of ['lib', 'conf', 'providers', 'themes']) await symlink(join(from, name), join(home, name))
  const realm = realmFile({ ...options, clientId, clientSecret })
  await writeFile(join(home, 'data', 'import', 'mintmark-realm.json'), JSON.stringify(realm))

  const url = `http://127.0.0.1:${await freePort()}`
  const issuer = `${url}/realms/mintmark`
  const { child, stop, said } = await launch(home, url)
  const close = async () => {
    await stop()
    await rm(home, { recursive: true, force: true })
  }
  try {
    await answers(`${issuer}/.well-known/openid-configuration`, child)
  } catch (error) {
    const last = (await said()).slice(-4_000)
    await close()
    throw new Error(`Keycloak did not start: ${last}`, { cause: error })
  }
  return { issuer, clientId, clientSecret, people, ...administrator(url), close }
}

/** A group of processes that ends with us, even when we are killed: its guard sees our end of the pipe close. */
const guarded = 'exec 3<&0; (cat <&3 >/dev/null; kill -TERM 0) & exec sh bin/kc.sh "$@" 3<&- </dev/null'

async function launch(home: string, url: string) {
  const path = join(home, 'keycloak.log')
  const log = await open(path, 'w')
  const options = {
    'http-enabled': 'true',
    'http-host': '127.0.0.1',
    'http-port': new URL(url).port,
    hostname: url,
    cache: 'local',
  }
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const child = spawn('sh', ['-c', guarded, 'sh', 'start', '--optimized', '--import-realm', ...flags], {
    cwd: home,
    detached: true,
    env: environment({ KC_BOOTSTRAP_ADMIN_USERNAME: 'admin', KC_BOOTSTRAP_ADMIN_PASSWORD: 'admin' }),
    stdio: ['pipe', log.fd, log.fd],
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  await log.close()
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // The group is gone.
    }
  }
  const stop = async () => {
    signal('SIGTERM')
    const late = setTimeout(() => signal('SIGKILL'), 10_000)
    await ended
    clearTimeout(late)
    signal('SIGKILL')
  }
  return { child, stop, said: () => readFile(path, 'utf8') }
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const end = performance.now() + 180_000
  while (performance.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended')
    const answer = await fetch(url).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.status === 200) return
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  throw new Error('it took more than three minutes')
}
