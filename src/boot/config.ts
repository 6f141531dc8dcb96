/** The configuration: parsed once from the environment, every fault named at once with its mend, frozen. */

import { StartRefused } from '../core/errors.js'
import { isLoopback } from '../core/loopback.js'
import { addressFaults } from '../store/postgres/database-address.js'
import { type RedisSettings, redisSettings } from './redis-settings.js'
import { proxyFaults } from './trusted-proxies.js'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

export interface Config extends RedisSettings {
  readonly issuer: string
  /** A server of the operator's, or the embedded default with its data folder. */
  readonly database: { readonly url: string } | { readonly embeddedIn: string }
  readonly listen: ListenAddress
  readonly healthListen: ListenAddress
  readonly keysFolder: string
  /** Mail goes to a server, or into a folder as files. */
  readonly mail: { readonly smtpUrl: string } | { readonly outboxFolder: string }
  /** The owner of the tables, for `mintmark migrate`; the service itself never uses it. */
  readonly ownerUrl: string | undefined
  /** Addresses or CIDR blocks whose X-Forwarded-* headers are believed. */
  readonly trustedProxies: readonly string[]
  readonly passwordMinLength: number
  readonly sessionLimits: { readonly idleSeconds: number; readonly absoluteSeconds: number }
  readonly logLevel: string
  /** A style sheet and a logo for the hosted pages. */
  readonly themeFolder: string | undefined
  /** What mail calls this service, and who it comes from. */
  readonly product: string
  readonly mailFrom: string
}

const known = new Set([
  'MINTMARK_LISTEN',
  'MINTMARK_HEALTH_LISTEN',
  'MINTMARK_KEYS_FOLDER',
  'MINTMARK_DATA_FOLDER',
  'MINTMARK_OUTBOX_FOLDER',
  'MINTMARK_OWNER_DATABASE_URL',
  'MINTMARK_TRUSTED_PROXIES',
  'MINTMARK_PASSWORD_MIN_LENGTH',
  'MINTMARK_SESSION_IDLE_SECONDS',
  'MINTMARK_SESSION_ABSOLUTE_SECONDS',
  'MINTMARK_SESSION_REDIS_UNSAFE',
  'MINTMARK_LOG_LEVEL',
  'MINTMARK_PRODUCT',
  'MINTMARK_THEME_FOLDER',
  'MINTMARK_MAIL_FROM',
])
const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

type Environment = Readonly<Record<string, string | undefined>>

/** Where the key-encryption keys lie, also for a configuration that is wrong otherwise. */
export function keysFolderOf(env: Environment): string {
  return env.MINTMARK_KEYS_FOLDER?.trim() || 'keys'
}

/** Throws `StartRefused` with all faults. An empty value counts as missing. */
export function parseConfig(env: Environment): Config {
  const faults: string[] = []
  const get = (name: string) => env[name]?.trim() || undefined

  for (const name of Object.keys(env)) {
    // Node's own, and no setting of ours.
    if (name === 'NODE_TLS_REJECT_UNAUTHORIZED' && get(name) === '0') {
      faults.push(
        `${name}=0 believes every certificate: remove it, and name an authority of your own in NODE_EXTRA_CA_CERTS`,
      )
    }
    if (/^mintmark_/i.test(name) && !known.has(name)) {
      faults.push(`${name} is not a setting: remove it (known: ${[...known].join(', ')})`)
    }
  }

  const listen = listenAddress('MINTMARK_LISTEN', '127.0.0.1:4000')
  const healthListen = listenAddress('MINTMARK_HEALTH_LISTEN', '127.0.0.1:4001')
  if (listen.host === healthListen.host && listen.port === healthListen.port && listen.port !== 0) {
    faults.push(
      'MINTMARK_LISTEN and MINTMARK_HEALTH_LISTEN are the same: give the probes a port of their own',
    )
  }

  const url = get('DATABASE_URL')
  const ownerUrl = get('MINTMARK_OWNER_DATABASE_URL')
  if (url !== undefined) faults.push(...addressFaults('DATABASE_URL', url))
  if (ownerUrl !== undefined) faults.push(...addressFaults('MINTMARK_OWNER_DATABASE_URL', ownerUrl))
  if (url !== undefined && get('MINTMARK_DATA_FOLDER') !== undefined) {
    faults.push(
      'DATABASE_URL and MINTMARK_DATA_FOLDER contradict each other: remove the one that is not meant',
    )
  }
  const mode = get('NODE_ENV')
  if (mode !== undefined && !['production', 'development', 'test'].includes(mode)) {
    faults.push(`NODE_ENV takes production, development or test, not ${mode}`)
  }
  if (url === undefined && mode === 'production') {
    faults.push(
      'NODE_ENV=production needs DATABASE_URL: name your Postgres, the embedded default is for development',
    )
  }
  const redis = redisSettings(get, faults)
  const smtpUrl = get('SMTP_URL')
  const outboxFolder = get('MINTMARK_OUTBOX_FOLDER')
  if (smtpUrl !== undefined && !isUrl(smtpUrl, /^smtps?:$/)) {
    faults.push('SMTP_URL is not a mail server: write smtps://user:password@host:465 or smtp://host:587')
  } else if (smtpUrl !== undefined) {
    for (const [parameter, value] of new URL(smtpUrl).searchParams) {
      if (parameter !== 'tls') faults.push(`SMTP_URL: the parameter ${parameter} is not taken: remove it`)
      else if (value !== 'none') faults.push(`SMTP_URL: tls takes none, not ${value || 'nothing'}`)
    }
  }
  if (smtpUrl !== undefined && outboxFolder !== undefined) {
    faults.push('SMTP_URL and MINTMARK_OUTBOX_FOLDER contradict each other: remove the one that is not meant')
  }
  if (url !== undefined && smtpUrl === undefined && outboxFolder === undefined) {
    faults.push('SMTP_URL is missing: name the mail server (or MINTMARK_OUTBOX_FOLDER, for mail as files)')
  }

  const issuer =
    get('ISSUER') ?? (url === undefined ? new URL(`http://localhost:${listen.port}`).origin : undefined)
  if (issuer === undefined)
    faults.push('ISSUER is missing: set it to the address people reach, like https://id.example.com')
  else faults.push(...issuerFaults(issuer))

  const idleSeconds = wholeNumber('MINTMARK_SESSION_IDLE_SECONDS', 604_800, 300, 31_536_000)
  const absoluteSeconds = wholeNumber('MINTMARK_SESSION_ABSOLUTE_SECONDS', 2_592_000, 300, 31_536_000)
  if (idleSeconds > absoluteSeconds) {
    faults.push(
      'MINTMARK_SESSION_IDLE_SECONDS is longer than MINTMARK_SESSION_ABSOLUTE_SECONDS: make it at most as long',
    )
  }

  const trustedProxies = (get('MINTMARK_TRUSTED_PROXIES') ?? '')
    .split(',')
    .map(entry => entry.trim())
    .filter(Boolean)
  faults.push(...proxyFaults('MINTMARK_TRUSTED_PROXIES', trustedProxies))

  const logLevel = get('MINTMARK_LOG_LEVEL') ?? 'info'
  if (!logLevels.includes(logLevel)) faults.push(`MINTMARK_LOG_LEVEL takes one of ${logLevels.join(', ')}`)
  const passwordMinLength = wholeNumber('MINTMARK_PASSWORD_MIN_LENGTH', 15, 8, 64)
  const product = printable('MINTMARK_PRODUCT', 'Mintmark')
  const mailFrom = printable('MINTMARK_MAIL_FROM', 'no-reply@localhost')

  if (faults.length > 0 || issuer === undefined) throw new StartRefused(faults)
  return frozen({
    issuer,
    database: url === undefined ? { embeddedIn: get('MINTMARK_DATA_FOLDER') ?? 'data' } : { url },
    ...redis,
    listen,
    healthListen,
    keysFolder: keysFolderOf(env),
    mail: smtpUrl === undefined ? { outboxFolder: outboxFolder ?? 'outbox' } : { smtpUrl },
    ownerUrl,
    trustedProxies,
    passwordMinLength,
    sessionLimits: { idleSeconds, absoluteSeconds },
    logLevel,
    themeFolder: get('MINTMARK_THEME_FOLDER'),
    product,
    mailFrom,
  })

  function listenAddress(name: string, fallback: string): ListenAddress {
    const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(get(name) ?? fallback)
    const port = Number(match?.[2])
    if (match?.[1] && port <= 65535) return { host: match[1].replace(/^\[|\]$/g, ''), port }
    faults.push(`${name} takes host:port, like ${fallback}`)
    return { host: '127.0.0.1', port: 0 }
  }

  function wholeNumber(name: string, fallback: number, least: number, most: number): number {
    const text = get(name) ?? String(fallback)
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    faults.push(`${name} takes a whole number from ${least} to ${most}`)
    return fallback
  }

  function printable(name: string, fallback: string): string {
    const value = get(name) ?? fallback
    if (value.length > 200 || /\p{Cc}/u.test(value))
      faults.push(`${name} takes one line of at most 200 characters`)
    return value
  }
}

function issuerFaults(issuer: string): string[] {
  if (!isUrl(issuer, /^https?:$/))
    return [`ISSUER ${issuer} is not an address: write it like https://id.example.com`]
  const { origin, protocol, hostname } = new URL(issuer)
  if (origin !== issuer)
    return [`ISSUER must be an origin, without path, query or final slash: write ${origin}`]
  if (protocol === 'http:' && !isLocalToBrowsers(hostname)) {
    return [`ISSUER ${issuer} is plain http outside loopback: use https (TLS ends at your proxy)`]
  }
  return []
}

/** The names that a browser takes for this machine: those under localhost, too. */
export function isLocalToBrowsers(hostname: string): boolean {
  return isLoopback(hostname) || hostname.endsWith('.localhost')
}

function isUrl(text: string, protocol: RegExp): boolean {
  return URL.canParse(text) && protocol.test(new URL(text).protocol)
}

function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) if (typeof member === 'object' && member !== null) frozen(member)
  return Object.freeze(value)
}
