/** The settings, each a row: the configuration, the table in docs/configuration.md and .env.example are made of them. */

import { isLoopback } from '../core/loopback.js'
import { addressFaults } from '../store/postgres/database-address.js'
import { redisFaults } from './redis-settings.js'
import { isUrl, smtpFaults } from './smtp-settings.js'
import { proxyFaults } from './trusted-proxies.js'

export interface Setting {
  readonly env: string
  /** What a text means. Without this it is the text itself. */
  readonly parse?: (text: string) => unknown
  /** What is wrong with a text, each with its remedy. */
  readonly faults?: (text: string, env: string) => readonly string[] | string | false
  /** As it would be written. */
  readonly default?: string
  /** For docs/configuration.md, in Markdown: links are relative to docs/. */
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
      'The Postgres primary, 15 or later, [without a connection pooler](getting-started.md#the-connection-to-postgres). `?sslmode=` takes `verify-full`, `require` or `disable`. If it is not set, the service starts an embedded Postgres for development.',
    example: 'postgres://mintmark:password@db.internal:5432/mintmark?sslmode=verify-full',
  },
  issuer: {
    env: 'ISSUER',
    faults: issuerFaults,
    meaning:
      'The public origin of the service and the `iss` of every token. It must be `https:`, except on loopback. Required with `DATABASE_URL`; without it `http://localhost:<port>`.',
    example: 'https://id.example.com',
  },
  redisUrl: {
    env: 'REDIS_URL',
    faults: redisFaults,
    meaning:
      'Redis. With it, instances tell each other of changes at once, and count attempts together. Several addresses, separated by commas, are nodes of one Redis Cluster.',
    example: 'redis://redis.internal:6379',
  },
  sessionStore: {
    env: 'SESSION_STORE',
    parse: text => (text === 'redis' ? 'redis' : 'postgres'),
    faults: text =>
      !/^(postgres|redis)$/.test(text) && `SESSION_STORE must be postgres or redis, not ${text}`,
    default: 'postgres',
    meaning:
      'Where sessions are stored: `postgres`, or `redis`, which needs `REDIS_URL` ([what changes](sessions-in-redis.md)).',
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
      `NODE_ENV must be production, development or test, not ${text}`,
    meaning: 'With `production` the service does not start on the embedded Postgres.',
    example: 'production',
  },
  listen: {
    env: 'MINTMARK_LISTEN',
    ...hostAndPort('127.0.0.1:4000'),
    meaning: 'The address on which the service listens.',
  },
  healthListen: {
    env: 'MINTMARK_HEALTH_LISTEN',
    ...hostAndPort('127.0.0.1:4001'),
    meaning: 'The address on which probes and metrics listen.',
  },
  keysFolder: {
    env: 'MINTMARK_KEYS_FOLDER',
    default: 'keys',
    meaning:
      'The folder of the key-encryption keys, one `.kek` file each. The last one by name seals new keys. The generation of the trusted database is stored there, too ([fail-over](backup-and-upgrade.md#the-generation-file)).',
  },
  dataFolder: {
    env: 'MINTMARK_DATA_FOLDER',
    default: 'data',
    meaning: 'The data folder of the embedded Postgres. It cannot be combined with `DATABASE_URL`.',
  },
  outboxFolder: {
    env: 'MINTMARK_OUTBOX_FOLDER',
    default: 'outbox',
    meaning:
      'The folder to which mail is written as files, for a mailer to pick up. It cannot be combined with `SMTP_URL`, and has no default with `DATABASE_URL`.',
  },
  ownerUrl: {
    env: 'MINTMARK_OWNER_DATABASE_URL',
    faults: addressFaults,
    meaning:
      'The login that owns the tables, if `DATABASE_URL` uses another one. Only `mintmark migrate` uses it.',
    example: 'postgres://owner:password@db.internal:5432/mintmark?sslmode=verify-full',
  },
  trustedProxies: {
    env: 'MINTMARK_TRUSTED_PROXIES',
    parse: listed,
    faults: (text, env) => proxyFaults(env, listed(text)),
    default: '',
    meaning:
      'Addresses or blocks of your proxies, separated by commas. Only their `X-Forwarded-…` headers are trusted. The largest block allowed is /8 for IPv4, and fc00::/7, fe80::/10 or /16 for IPv6.',
    example: '10.0.0.0/8',
  },
  passwordMinLength: {
    env: 'MINTMARK_PASSWORD_MIN_LENGTH',
    ...wholeNumber(8, 64, '15'),
    meaning: 'The minimum length of a new password in characters, 8 to 64.',
  },
  idleSeconds: {
    env: 'MINTMARK_SESSION_IDLE_SECONDS',
    ...wholeNumber(300, 31_536_000, '604800'),
    meaning: 'A session ends after this many seconds without use (7 days).',
  },
  absoluteSeconds: {
    env: 'MINTMARK_SESSION_ABSOLUTE_SECONDS',
    ...wholeNumber(300, 31_536_000, '2592000'),
    meaning: 'Every session ends after this many seconds (30 days).',
  },
  acceptsUnsafeRedis: {
    env: 'MINTMARK_SESSION_REDIS_UNSAFE',
    parse: text => text === 'accepted',
    faults: text => text !== 'accepted' && 'MINTMARK_SESSION_REDIS_UNSAFE must be accepted or not set',
    default: '',
    meaning:
      'With `accepted` the service starts even if the Redis that stores the sessions evicts keys or does not persist to disk. Otherwise it does not start.',
    example: 'accepted',
  },
  logLevel: {
    env: 'MINTMARK_LOG_LEVEL',
    faults: text => !logLevels.includes(text) && `MINTMARK_LOG_LEVEL must be one of ${logLevels.join(', ')}`,
    default: 'info',
    meaning: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`.',
  },
  factorResetHours: {
    env: 'MINTMARK_FACTOR_RESET_HOURS',
    ...wholeNumber(0, 720, '24'),
    meaning:
      'Hours between an operator’s request to [reset second factors](second-factors.md#resetting-second-factors) and the reset, 0 to 720. In this time the user can stop it. 0: at once.',
  },
  feedPublic: {
    env: 'MINTMARK_FEED_PUBLIC',
    parse: text => text === 'true',
    faults: text => !/^(true|false)$/.test(text) && 'MINTMARK_FEED_PUBLIC must be true or false',
    default: 'false',
    meaning:
      'With `true` the [revocation feed](feed.md) can be read without a service key. It shows how many revocations there are, and nothing else.',
  },
  feedConnections: {
    env: 'MINTMARK_FEED_CONNECTIONS',
    ...wholeNumber(10, 100_000, '3000'),
    meaning:
      'How many readers of the [revocation feed](feed.md) an instance serves at once. Readers without a service key get at most a tenth of them.',
  },
  passkeyRpId: {
    env: 'MINTMARK_PASSKEY_RP_ID',
    meaning:
      'The domain that passkeys belong to (RP ID): the host of `ISSUER` or a parent domain of it. The default is the host of `ISSUER`. The first start records it, and it cannot change afterwards ([passkeys](passkeys.md)).',
    example: 'example.com',
  },
  product: {
    env: 'MINTMARK_PRODUCT',
    faults: lineFaults,
    default: 'Mintmark',
    meaning: 'The name of the service in emails and on pages.',
  },
  themeFolder: {
    env: 'MINTMARK_THEME_FOLDER',
    meaning:
      'A folder with `theme.css` and `logo.svg` or `logo.png`, for the [hosted pages](hosted-pages.md#your-look).',
    example: 'theme',
  },
  mailFrom: {
    env: 'MINTMARK_MAIL_FROM',
    faults: lineFaults,
    default: 'no-reply@localhost',
    meaning: 'The sender address of emails.',
  },
} as const satisfies Record<string, Setting>

/** The port is not a number where the text is not of this form. */
export function readHostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i.exec(text) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) <= 65535 ? Number(port) : Number.NaN }
}

function hostAndPort(like: string) {
  const faults = (text: string, env: string) =>
    Number.isNaN(readHostAndPort(text).port) && `${env} must be host:port, like ${like}`
  return { parse: readHostAndPort, faults, default: like }
}

function wholeNumber(least: number, most: number, usual: string) {
  const fits = (text: string) => /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most
  const parse = (text: string) => Number(fits(text) ? text : usual)
  const faults = (text: string, env: string) =>
    !fits(text) && `${env} must be a whole number from ${least} to ${most}`
  return { parse, faults, default: usual }
}

function lineFaults(text: string, env: string) {
  return (text.length > 200 || /\p{Cc}/u.test(text)) && `${env} must be one line of at most 200 characters`
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
    return `ISSUER must be an origin without a path, query or trailing slash: write ${origin}`
  const isPlain = protocol === 'http:' && !isLocalToBrowsers(hostname)
  return isPlain && `ISSUER ${issuer} uses plain http outside loopback: use https (your proxy terminates TLS)`
}

/** The names that a browser takes for this machine: those under localhost, too. */
export function isLocalToBrowsers(hostname: string): boolean {
  return isLoopback(hostname) || hostname.endsWith('.localhost')
}
