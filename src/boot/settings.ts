/** The settings, each a row: the configuration, the README's table and .env.example are made of them. */

import { isLoopback } from '../core/loopback.js'
import { addressFaults } from '../store/postgres/database-address.js'
import { redisFaults } from './redis-settings.js'
import { proxyFaults } from './trusted-proxies.js'

export interface Setting {
  readonly env: string
  /** What a text means. Without this it is the text itself. */
  readonly parse?: (text: string) => unknown
  /** What is wrong with a text, each with its remedy. */
  readonly faults?: (text: string, env: string) => readonly string[] | string | false
  /** As it would be written. */
  readonly default?: string
  /** For the documents, in Markdown. */
  readonly meaning: string
  /** For .env.example, where the default is nothing to show. */
  readonly example?: string
}

type Parsed<S> = S extends { parse: (text: string) => infer T } ? T : string
type Value<S> = Parsed<S> | (S extends { default: string } ? never : undefined)
/** By their names in the configuration. */
export type Values = { readonly [K in keyof typeof settings]: Value<(typeof settings)[K]> }

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

export const settings = {
  databaseUrl: {
    env: 'DATABASE_URL',
    faults: addressFaults,
    meaning:
      'The Postgres primary, 15 or later, [without a pooler between](#production). `?sslmode=` takes `verify-full`, `require` or `disable`. Without it the service starts a Postgres of its own, for development.',
    example: 'postgres://mintmark:password@db.internal:5432/mintmark?sslmode=verify-full',
  },
  issuer: {
    env: 'ISSUER',
    faults: issuerFaults,
    meaning:
      'The origin that people and verifiers reach: the `iss` of every token. `https:` but on loopback. Required with `DATABASE_URL`; without it `http://localhost:<port>`.',
    example: 'https://id.example.com',
  },
  redisUrl: {
    env: 'REDIS_URL',
    faults: redisFaults,
    meaning:
      'Redis, for telling other instances of changes at once and for counting attempts together. Several addresses with commas between are nodes of one Redis Cluster.',
    example: 'redis://redis.internal:6379',
  },
  sessionStore: {
    env: 'SESSION_STORE',
    parse: text => (text === 'redis' ? 'redis' : 'postgres'),
    faults: text => !/^(postgres|redis)$/.test(text) && `SESSION_STORE takes postgres or redis, not ${text}`,
    default: 'postgres',
    meaning:
      'Where session rows lie: `postgres`, or `redis`, which needs `REDIS_URL` ([what changes](docs/operations.md#sessions-in-redis)).',
  },
  smtpUrl: {
    env: 'SMTP_URL',
    faults: smtpFaults,
    meaning:
      'The mail server: `smtps://user:password@host:465`, or `smtp://host:587` with STARTTLS. This or the outbox is required with `DATABASE_URL`.',
    example: 'smtps://mintmark:password@mail.internal:465',
  },
  mode: {
    env: 'NODE_ENV',
    faults: text =>
      !/^(production|development|test)$/.test(text) &&
      `NODE_ENV takes production, development or test, not ${text}`,
    meaning: '`production` refuses the embedded default.',
    example: 'production',
  },
  listen: {
    env: 'MINTMARK_LISTEN',
    ...hostAndPort('127.0.0.1:4000'),
    meaning: 'Where the service listens.',
  },
  healthListen: {
    env: 'MINTMARK_HEALTH_LISTEN',
    ...hostAndPort('127.0.0.1:4001'),
    meaning: 'Where the probes and the metrics listen.',
  },
  keysFolder: {
    env: 'MINTMARK_KEYS_FOLDER',
    default: 'keys',
    meaning:
      'The folder of the key-encryption keys, a `.kek` file each; the last by name seals. Beside them the generation of the database that was trusted is kept ([fail-over](docs/operations.md#fail-over-and-restored-backups)).',
  },
  dataFolder: {
    env: 'MINTMARK_DATA_FOLDER',
    default: 'data',
    meaning: "The embedded Postgres's data; not together with `DATABASE_URL`.",
  },
  outboxFolder: {
    env: 'MINTMARK_OUTBOX_FOLDER',
    default: 'outbox',
    meaning:
      'Where mail is put as files, for a mailer to pick up; not together with `SMTP_URL`. With `DATABASE_URL` it has no default.',
  },
  ownerUrl: {
    env: 'MINTMARK_OWNER_DATABASE_URL',
    faults: addressFaults,
    meaning:
      'For `mintmark migrate` alone: the login that owns the tables, when `DATABASE_URL` is another one.',
    example: 'postgres://owner:password@db.internal:5432/mintmark?sslmode=verify-full',
  },
  trustedProxies: {
    env: 'MINTMARK_TRUSTED_PROXIES',
    parse: listed,
    faults: (text, env) => proxyFaults(env, listed(text)),
    default: '',
    meaning:
      'Addresses or blocks, separated by commas, whose `X-Forwarded-…` headers are believed. No block may be larger than one network has: /8, in IPv6 fc00::/7, fe80::/10 or /16.',
    example: '10.0.0.0/8',
  },
  passwordMinLength: {
    env: 'MINTMARK_PASSWORD_MIN_LENGTH',
    ...wholeNumber(8, 64, '15'),
    meaning: 'Characters that a new password has at least, 8 to 64.',
  },
  idleSeconds: {
    env: 'MINTMARK_SESSION_IDLE_SECONDS',
    ...wholeNumber(300, 31_536_000, '604800'),
    meaning: 'A session unused for this long ends (7 days).',
  },
  absoluteSeconds: {
    env: 'MINTMARK_SESSION_ABSOLUTE_SECONDS',
    ...wholeNumber(300, 31_536_000, '2592000'),
    meaning: 'Every session ends after this long (30 days).',
  },
  acceptsUnsafeRedis: {
    env: 'MINTMARK_SESSION_REDIS_UNSAFE',
    parse: text => text === 'accepted',
    faults: text => text !== 'accepted' && 'MINTMARK_SESSION_REDIS_UNSAFE takes accepted, or is left out',
    default: '',
    meaning:
      '`accepted` starts with sessions in a Redis that evicts keys or keeps nothing on disk; without it that refuses the start.',
    example: 'accepted',
  },
  logLevel: {
    env: 'MINTMARK_LOG_LEVEL',
    faults: text => !logLevels.includes(text) && `MINTMARK_LOG_LEVEL takes one of ${logLevels.join(', ')}`,
    default: 'info',
    meaning: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.',
  },
  product: {
    env: 'MINTMARK_PRODUCT',
    faults: lineFaults,
    default: 'Mintmark',
    meaning: 'What mail and pages call the service.',
  },
  themeFolder: {
    env: 'MINTMARK_THEME_FOLDER',
    meaning: 'A folder with `theme.css` and `logo.svg` or `logo.png`, for the [hosted pages](#hosted-pages).',
    example: 'theme',
  },
  mailFrom: {
    env: 'MINTMARK_MAIL_FROM',
    faults: lineFaults,
    default: 'no-reply@localhost',
    meaning: 'The sender of mail.',
  },
} as const satisfies Record<string, Setting>

function hostAndPort(like: string) {
  const parse = (text: string) => {
    const [, host = '', port] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(text) ?? []
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) <= 65535 ? Number(port) : Number.NaN }
  }
  const faults = (text: string, env: string) =>
    Number.isNaN(parse(text).port) && `${env} takes host:port, like ${like}`
  return { parse, faults, default: like }
}

function wholeNumber(least: number, most: number, usual: string) {
  const fits = (text: string) => /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most
  const parse = (text: string) => Number(fits(text) ? text : usual)
  const faults = (text: string, env: string) =>
    !fits(text) && `${env} takes a whole number from ${least} to ${most}`
  return { parse, faults, default: usual }
}

function lineFaults(text: string, env: string) {
  return (text.length > 200 || /\p{Cc}/u.test(text)) && `${env} takes one line of at most 200 characters`
}

function listed(text: string): readonly string[] {
  return text
    .split(',')
    .map(entry => entry.trim())
    .filter(Boolean)
}

function issuerFaults(issuer: string): string | false {
  if (!isUrl(issuer, /^https?:$/))
    return `ISSUER ${issuer} is not an address: write it like https://id.example.com`
  const { origin, protocol, hostname } = new URL(issuer)
  if (origin !== issuer)
    return `ISSUER must be an origin, without path, query or final slash: write ${origin}`
  const isPlain = protocol === 'http:' && !isLocalToBrowsers(hostname)
  return isPlain && `ISSUER ${issuer} is plain http outside loopback: use https (TLS ends at your proxy)`
}

/** The names that a browser takes for this machine: those under localhost, too. */
export function isLocalToBrowsers(hostname: string): boolean {
  return isLoopback(hostname) || hostname.endsWith('.localhost')
}

function smtpFaults(text: string): readonly string[] | string {
  if (!isUrl(text, /^smtps?:$/))
    return 'SMTP_URL is not a mail server: write smtps://user:password@host:465 or smtp://host:587'
  const faults: string[] = []
  for (const [parameter, value] of new URL(text).searchParams) {
    if (parameter !== 'tls') faults.push(`SMTP_URL: the parameter ${parameter} is not taken: remove it`)
    else if (value !== 'none') faults.push(`SMTP_URL: tls takes none, not ${value || 'nothing'}`)
  }
  return faults
}

function isUrl(text: string, protocol: RegExp): boolean {
  return URL.canParse(text) && protocol.test(new URL(text).protocol)
}
