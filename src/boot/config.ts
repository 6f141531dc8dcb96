/** The configuration: parsed once from the environment, every fault named at once with its fix, frozen. */
import type { Limit, Limits } from '../accounts/throttle.js'
import { StartRefused } from '../core/errors.js'
import { byLimit, limitFaults, limitSettings } from './limit-settings.js'
import { hostOf, rpIdFaults } from './passkey-domain.js'
import { type Setting, settings, type Values } from './settings.js'

export { isLocalToBrowsers } from './settings.js'

export type ListenAddress = Values['listen']

export type Config = Readonly<ReturnType<typeof combined> & { limits: Limits }>

/** In the order of the documents. */
export const allSettings: readonly Setting[] = [...Object.values(settings), ...Object.values(limitSettings)]

type Environment = Readonly<Record<string, string | undefined>>

/** Where the key-encryption keys lie, also for a configuration that is wrong otherwise. */
export function keysFolderOf(env: Environment): string {
  return env[settings.keysFolder.env]?.trim() || settings.keysFolder.default
}

/** Throws `StartRefused` with all faults. An empty value counts as missing. */
export function parseConfig(env: Environment): Config {
  const given = ({ env: name }: Setting) => env[name]?.trim() || undefined
  const faults = strayFaults(env)
  const parsed = (row: Setting): unknown => {
    const text = given(row)
    faults.push(...[(text && row.faults?.(text, row.env)) || []].flat())
    const used = text ?? row.default
    return used === undefined ? undefined : (row.parse ?? String)(used)
  }
  const values = Object.entries<Setting>(settings).map(([name, row]) => [name, parsed(row)])
  const all = Object.fromEntries(values) as Values
  const limits = byLimit(name => parsed(limitSettings[name]) as Limit)
  const { listen, healthListen, databaseUrl, smtpUrl } = all
  const outbox = given(settings.outboxFolder)
  const relations: Readonly<Record<string, unknown>> = {
    'MINTMARK_LISTEN and MINTMARK_HEALTH_LISTEN are the same: give the probes a port of their own':
      listen.port !== 0 && listen.port === healthListen.port && listen.host === healthListen.host,
    'DATABASE_URL and MINTMARK_DATA_FOLDER contradict each other: remove one of them':
      databaseUrl && given(settings.dataFolder),
    'NODE_ENV=production needs DATABASE_URL: set it to your Postgres server; the embedded one is for development only':
      !databaseUrl && all.mode === 'production',
    'SESSION_STORE=redis needs REDIS_URL: set it to your Redis server, or to several nodes of a Redis Cluster':
      all.sessionStore === 'redis' && !all.redisUrl,
    'SMTP_URL and MINTMARK_OUTBOX_FOLDER contradict each other: remove one of them': smtpUrl && outbox,
    'SMTP_URL is missing: set it to your mail server (or set MINTMARK_OUTBOX_FOLDER to write mail to files)':
      databaseUrl && !smtpUrl && !outbox,
    'ISSUER is missing: set it to the public address of the service, like https://id.example.com':
      databaseUrl && !all.issuer,
    'MINTMARK_SESSION_IDLE_SECONDS is longer than MINTMARK_SESSION_ABSOLUTE_SECONDS: set it to the same value or less':
      all.idleSeconds > all.absoluteSeconds,
  }
  faults.push(...rpIdFaults(all))
  faults.push(...Object.keys(relations).filter(fault => relations[fault]), ...limitFaults(limits))
  if (faults.length > 0) throw new StartRefused(faults)
  return frozen({ ...combined(all), limits })
}

/** What several settings say together has a member, and each of the others its own. */
function combined(values: Values) {
  const { mode, databaseUrl, dataFolder, smtpUrl, outboxFolder, idleSeconds, absoluteSeconds, ...others } =
    values
  const { issuer = new URL(`http://localhost:${others.listen.port}`).origin } = others
  /** A server of the operator's, or the embedded default with its data folder. */
  const database: { readonly url: string } | { readonly embeddedIn: string } =
    databaseUrl === undefined ? { embeddedIn: dataFolder } : { url: databaseUrl }
  /** Mail goes to a server, or into a folder as files. */
  const mail: { readonly smtpUrl: string } | { readonly outboxFolder: string } =
    smtpUrl === undefined ? { outboxFolder } : { smtpUrl }
  const passkeyRpId = others.passkeyRpId ?? hostOf(issuer)
  return {
    ...others,
    issuer,
    passkeyRpId,
    database,
    mail,
    sessionLimits: { idleSeconds, absoluteSeconds } as const,
  }
}

/** Names that are like a setting, and what of Node's own would undo one. */
function strayFaults(env: Environment): string[] {
  const faults: string[] = []
  const known = allSettings.flatMap(row => /^MINTMARK_.*/.exec(row.env) ?? [])
  for (const name of Object.keys(env)) {
    if (name === 'NODE_TLS_REJECT_UNAUTHORIZED' && env[name]?.trim() === '0') {
      faults.push(
        `${name}=0 accepts every certificate: remove it, and set NODE_EXTRA_CA_CERTS to the file of your own certificate authority`,
      )
    }
    if (/^mintmark_/i.test(name) && !known.includes(name)) {
      faults.push(`${name} is not a setting: remove it (known: ${known.join(', ')})`)
    }
  }
  return faults
}

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) frozen(member)
  return Object.freeze(value)
}
