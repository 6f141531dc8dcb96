/** Starts that are refused before any server is asked: by the environment and by what lies in folders. */
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Start {
  readonly cwd: string
  readonly env: Record<string, string>
}

const goodKey = () => `${randomBytes(32).toString('base64')}\n`
const notRandom = `${Buffer.alloc(32).toString('base64')}\n`

/** A keys folder with one key that others may not touch. */
export async function soundKeys(cwd: string, folder: string, name = 'first'): Promise<void> {
  await mkdir(join(cwd, folder), { mode: 0o700 })
  await writeFile(join(cwd, folder, `${name}.kek`), goodKey(), { mode: 0o600 })
}

/** Whatever the umask. */
async function keyFile(path: string, content: string, mode: number): Promise<void> {
  await writeFile(path, content)
  await chmod(path, mode)
}

const half = Array.from({ length: 128 }, (_, first) => `${first}.0.0.0/8`).join(',')

/** Many at once: a start names all that is wrong. */
export async function wrongSettings(cwd: string): Promise<Start[]> {
  await keyFile(join(cwd, 'file'), 'no folder', 0o600)
  const bad = join(cwd, 'bad')
  await mkdir(bad)
  await chmod(bad, 0o770)
  await keyFile(join(bad, 'a.kek'), 'no key', 0o600)
  await keyFile(join(bad, 'b.kek'), goodKey(), 0o620)
  await keyFile(join(bad, 'c.kek'), goodKey(), 0o604)
  await keyFile(join(bad, 'e.kek'), goodKey(), 0o600)
  if (process.getuid?.() === 0) await chown(join(bad, 'e.kek'), 65534, 65534)
  await mkdir(join(bad, 'd.kek'))
  await keyFile(join(bad, 'f.kek'), notRandom, 0o600)
  return [
    {
      cwd,
      env: {
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
        MINTMARK_ISUER: 'https://id.example.com',
        MINTMARK_LISTEN: 'nowhere',
        DATABASE_URL: 'mysql://localhost/x',
        MINTMARK_OWNER_DATABASE_URL: 'postgres://h/d?sslmode=require&sslmode=prefer&sslrootcert=x&options=y',
        MINTMARK_DATA_FOLDER: 'x',
        NODE_ENV: 'staging',
        REDIS_URL: 'localhost:6379',
        SESSION_STORE: 'memory',
        MINTMARK_SESSION_REDIS_UNSAFE: 'yes',
        MINTMARK_FEED_PUBLIC: 'yes',
        MINTMARK_PASSKEY_RP_ID: 'example.org',
        SMTP_URL: 'mail',
        MINTMARK_OUTBOX_FOLDER: 'mail',
        ISSUER: 'id.example.com',
        MINTMARK_SESSION_IDLE_SECONDS: '1000',
        MINTMARK_SESSION_ABSOLUTE_SECONDS: '500',
        MINTMARK_TRUSTED_PROXIES: `proxy,0.0.0.0/0,${half}`,
        MINTMARK_LOG_LEVEL: 'loud',
        MINTMARK_PASSWORD_MIN_LENGTH: '6',
        MINTMARK_LIMIT_LINK_BY_ADDRESS: 'none',
        MINTMARK_LIMIT_SIGN_IN_BY_ADDRESS: '5/15m',
        MINTMARK_PRODUCT: 'x'.repeat(201),
        MINTMARK_KEYS_FOLDER: bad,
      },
    },
    {
      cwd,
      env: {
        MINTMARK_LISTEN: '127.0.0.1:4000',
        MINTMARK_HEALTH_LISTEN: '127.0.0.1:4000',
        NODE_ENV: 'production',
        SESSION_STORE: 'redis',
        SMTP_URL: 'smtp://localhost?tls=all&pool=true',
        ISSUER: 'https://id.example.com/path',
        MINTMARK_KEYS_FOLDER: join(cwd, 'file'),
      },
    },
    { cwd, env: { DATABASE_URL: 'postgres://h/d', REDIS_URL: 'redis://h/sessions' } },
    { cwd, env: { REDIS_URL: 'redis://a,rediss://b/1', ISSUER: 'http://id.example.com' } },
    { cwd, env: { REDIS_URL: 'redis://h?family=6' } },
    {
      cwd,
      env: {
        DATABASE_URL: 'postgres://u:100%@h/d',
        MINTMARK_OWNER_DATABASE_URL: 'postgres://u:%ff@h/d',
        REDIS_URL: 'redis://:%zz@h',
        SMTP_URL: 'smtp://u:%@h',
      },
    },
  ]
}

/** The embedded default, and where it could not be begun. */
export async function wrongFolders(cwd: string, major: string): Promise<Start[]> {
  await soundKeys(cwd, 'keys')
  await keyFile(join(cwd, 'nofolder'), '', 0o600)
  const data = async (name: string, version: string) => {
    await mkdir(join(cwd, name, 'data'), { recursive: true })
    await writeFile(join(cwd, name, 'data', 'PG_VERSION'), `${version}\n`)
    return join(cwd, name)
  }
  const old = await data('old', '9')
  const lost = await data('lost', major)
  const torn = await data('torn', major)
  await writeFile(join(torn, 'connection.json'), '{"host":"","password":"x"}')
  const foreign = join(cwd, 'foreign')
  await mkdir(join(foreign, 'data'), { recursive: true })
  await writeFile(join(foreign, 'data', 'something'), '')
  const open = join(cwd, 'open')
  await mkdir(open)
  await chmod(open, 0o777)
  const folders = [old, lost, torn, foreign, join(cwd, 'nofolder', 'x')]
  return [
    ...folders.map(MINTMARK_DATA_FOLDER => ({ cwd, env: { MINTMARK_DATA_FOLDER } })),
    { cwd, env: { MINTMARK_OUTBOX_FOLDER: join(cwd, 'nofolder', 'x') } },
    { cwd, env: { MINTMARK_OUTBOX_FOLDER: open } },
    // It takes no folder, and says that there is none to be found.
    { cwd, env: { MINTMARK_OUTBOX_FOLDER: '/proc/none/x' } },
    { cwd, env: { MINTMARK_DATA_FOLDER: '/proc/none/x' } },
    { cwd, env: { MINTMARK_KEYS_FOLDER: '/proc/none/x' } },
  ]
}
