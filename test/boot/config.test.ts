/** Configuration: every fault named at once with its mend, nothing guessed, nothing that fails open. */
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { isLocalToBrowsers, keysFolderOf, parseConfig } from '../../src/boot/config.js'
import { limitSettings } from '../../src/boot/limit-settings.js'
import { StartRefused } from '../../src/core/errors.js'
import { loadTheme, noTheme } from '../../src/http/pages/theme.js'
import { tlsOf } from '../../src/store/postgres/database-address.js'
import { rootUrl } from '../support/project.mjs'

const production = {
  ISSUER: 'https://id.example.com',
  DATABASE_URL: 'postgres://mintmark:s3cret@db.example.com:5432/mintmark',
  SMTP_URL: 'smtps://mintmark:s3cret@mail.example.com',
  NODE_ENV: 'production',
}

function faultsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    parseConfig(env)
    return []
  } catch (error) {
    if (error instanceof StartRefused) return error.faults
    throw error
  }
}

/** The list that the message itself gives. */
const known = /known: (.*)\)$/.exec(faultsOf({ MINTMARK_NO_SUCH_NAME: '1' })[0] ?? '')?.[1]?.split(', ') ?? []
const plain = ['ISSUER', 'DATABASE_URL', 'REDIS_URL', 'SESSION_STORE', 'SMTP_URL', 'NODE_ENV']

test('an empty environment is the embedded default, on loopback only', t => {
  t.strictSame(parseConfig({}), {
    issuer: 'http://localhost:4000',
    passkeyRpId: 'localhost',
    database: { embeddedIn: 'data' },
    redisUrl: undefined,
    sessionStore: 'postgres',
    acceptsUnsafeRedis: false,
    listen: { host: '127.0.0.1', port: 4000 },
    healthListen: { host: '127.0.0.1', port: 4001 },
    keysFolder: 'keys',
    mail: { outboxFolder: 'outbox' },
    ownerUrl: undefined,
    trustedProxies: [],
    passwordMinLength: 15,
    sessionLimits: { idleSeconds: 604_800, absoluteSeconds: 2_592_000 },
    logLevel: 'info',
    themeFolder: undefined,
    factorResetHours: 24,
    feedPublic: false,
    feedConnections: 3000,
    product: 'Mintmark',
    mailFrom: 'no-reply@localhost',
    limits,
  })
  t.end()
})

/** Each other than its default, and than the others. */
const otherLimits = Object.entries(limitSettings).map(
  ([name, { env, parse, default: usual }], index) =>
    [name, env, { points: parse(usual).points + 1, seconds: 60 * (index + 2) }] as const,
)

test('every setting arrives where it belongs, and an empty value counts as missing', t => {
  const env = {
    ...production,
    REDIS_URL: 'rediss://cache.example.com:6380,rediss://cache.example.com:6381',
    SESSION_STORE: 'redis',
    MINTMARK_SESSION_REDIS_UNSAFE: 'accepted',
    MINTMARK_LISTEN: '[::]:8080',
    MINTMARK_HEALTH_LISTEN: '0.0.0.0:8081',
    MINTMARK_KEYS_FOLDER: ' /run/keys ',
    MINTMARK_OWNER_DATABASE_URL: 'postgres://owner:s3cret@db.example.com:5432/mintmark',
    MINTMARK_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1,fd00::/8, ::1',
    MINTMARK_PASSWORD_MIN_LENGTH: '8',
    MINTMARK_SESSION_IDLE_SECONDS: '300',
    MINTMARK_SESSION_ABSOLUTE_SECONDS: '300',
    MINTMARK_LOG_LEVEL: 'debug',
    MINTMARK_THEME_FOLDER: '/etc/mintmark/theme',
    MINTMARK_FACTOR_RESET_HOURS: '0',
    MINTMARK_FEED_PUBLIC: 'true',
    MINTMARK_FEED_CONNECTIONS: '10',
    MINTMARK_PASSKEY_RP_ID: 'example.com',
    MINTMARK_PRODUCT: 'Größe & Söhne',
    MINTMARK_MAIL_FROM: 'id@example.com',
    ...Object.fromEntries(
      otherLimits.map(([, env, { points, seconds }]) => [env, `${points}/${seconds / 60}m`]),
    ),
  }
  const expected = {
    issuer: 'https://id.example.com',
    database: { url: production.DATABASE_URL },
    redisUrl: 'rediss://cache.example.com:6380,rediss://cache.example.com:6381',
    sessionStore: 'redis',
    acceptsUnsafeRedis: true,
    listen: { host: '::', port: 8080 },
    healthListen: { host: '0.0.0.0', port: 8081 },
    keysFolder: '/run/keys',
    mail: { smtpUrl: production.SMTP_URL },
    ownerUrl: 'postgres://owner:s3cret@db.example.com:5432/mintmark',
    trustedProxies: ['10.0.0.0/8', '127.0.0.1', 'fd00::/8', '::1'],
    passwordMinLength: 8,
    sessionLimits: { idleSeconds: 300, absoluteSeconds: 300 },
    logLevel: 'debug',
    themeFolder: '/etc/mintmark/theme',
    factorResetHours: 0,
    feedPublic: true,
    feedConnections: 10,
    passkeyRpId: 'example.com',
    product: 'Größe & Söhne',
    mailFrom: 'id@example.com',
    limits: Object.fromEntries(otherLimits.map(([name, , limit]) => [name, limit])),
  }
  t.strictSame(parseConfig(env), expected)
  const blank = Object.fromEntries([...known, ...plain].map((name, i) => [name, i % 2 ? '' : '  ']))
  t.strictSame(parseConfig(blank), parseConfig({}))
  t.equal(keysFolderOf(blank), 'keys')
  t.equal(keysFolderOf({ MINTMARK_KEYS_FOLDER: ' /run/keys ' }), '/run/keys')
  const set = Object.keys({ ...env, MINTMARK_DATA_FOLDER: '', MINTMARK_OUTBOX_FOLDER: '' }).sort()
  t.strictSame(set, [...known, ...plain].sort(), 'and this test sets every setting there is')
  t.strictSame(parseConfig({ MINTMARK_DATA_FOLDER: '/srv/data' }).database, { embeddedIn: '/srv/data' })
  const asFiles = { ...env, SMTP_URL: '', MINTMARK_OUTBOX_FOLDER: '/var/spool/mintmark' }
  t.strictSame(parseConfig(asFiles), { ...expected, mail: { outboxFolder: '/var/spool/mintmark' } })
  t.end()
})

test('a limit is attempts and a window, within a range that switches nothing off, and no part is larger than its whole', t => {
  for (const [name, { env }] of Object.entries(limitSettings)) {
    t.match(parseConfig({ [env]: '50/30m' }).limits, { [name]: { points: 50, seconds: 1800 } })
    for (const text of [
      '0/15m',
      '100001/15m',
      '50',
      '50/0m',
      '50/15',
      '50/15s',
      '50/8d',
      '-1/15m',
      '1e3/15m',
      'off',
    ])
      t.match(faultsOf({ [env]: text }), [
        new RegExp(`^${env} must be attempts and their window, like \\d+/\\d+[mhd]: from`),
      ])
  }
  const ofMail = 'MINTMARK_LIMIT_MAIL_BY_RECIPIENT'
  t.match(faultsOf({ [ofMail]: '3/31m' }), [/to 100000\/30m/], 'no longer than a link lives')
  const parts = {
    MINTMARK_LIMIT_SIGN_IN_BY_ACCOUNT: 'MINTMARK_LIMIT_SIGN_IN_BY_ACCOUNT_AND_ADDRESS',
    MINTMARK_LIMIT_SIGN_IN_BY_ADDRESS: 'MINTMARK_LIMIT_SIGN_IN_BY_ACCOUNT_AND_ADDRESS',
    MINTMARK_LIMIT_INVITATION_BY_TENANT: 'MINTMARK_LIMIT_INVITATION_BY_PERSON',
  }
  for (const [wide, narrow] of Object.entries(parts)) {
    t.strictSame(faultsOf({ [wide]: '9/1h', [narrow]: '10/1h' }), [
      `${wide} allows fewer attempts than ${narrow}: allow at least as many`,
    ])
    t.strictSame(faultsOf({ [wide]: '10/1h', [narrow]: '10/1h' }), [])
  }
  t.end()
})

test('a theme folder that holds nothing of a theme refuses the start, and none is no theme', async t => {
  t.strictSame(await loadTheme(undefined), noTheme)
  await t.rejects(loadTheme(t.testdir({})), /contains no readable theme.css, logo.svg or logo.png/)
  await t.rejects(loadTheme('/nowhere'), { name: 'StartRefused' })
  t.match(await loadTheme(t.testdir({ 'logo.png': 'png' })), { css: undefined, logo: { type: 'image/png' } })
})

test('the configuration is frozen, all the way down', t => {
  const config = parseConfig({ MINTMARK_TRUSTED_PROXIES: '10.0.0.0/8' })
  t.ok(Object.isFrozen(config))
  for (const [name, value] of Object.entries(config))
    if (typeof value === 'object') t.ok(Object.isFrozen(value), name)
  t.end()
})

const bad: [name: string, value: string, mend: RegExp, env?: Record<string, string>][] = [
  ['MINTMARK_LISTN', '127.0.0.1:4000', /remove it \(known: MINTMARK_LISTEN, /],
  ['MINTMARK_', '1', /remove it/],
  ['MINTMARK_LISTEN ', '127.0.0.1:4000', /remove it/],
  ['MINTMARK_listen', '127.0.0.1:4000', /remove it/],
  ['MINTMARK_LISTEN', '4000', /must be host:port/],
  ['MINTMARK_LISTEN', ':4000', /must be host:port/],
  ['MINTMARK_LISTEN', '127.0.0.1:65536', /must be host:port/],
  ['MINTMARK_LISTEN', '127.0.0.1:-1', /must be host:port/],
  ['MINTMARK_LISTEN', 'http://127.0.0.1:4000', /must be host:port/],
  ['MINTMARK_LISTEN', '::1:4000', /must be host:port/],
  ['MINTMARK_HEALTH_LISTEN', 'localhost', /must be host:port/],
  ['MINTMARK_PASSWORD_MIN_LENGTH', '7', /from 8 to 64/],
  ['MINTMARK_PASSWORD_MIN_LENGTH', '65', /from 8 to 64/],
  ['MINTMARK_PASSWORD_MIN_LENGTH', '1e1', /from 8 to 64/],
  ['MINTMARK_PASSWORD_MIN_LENGTH', '15.5', /from 8 to 64/],
  ['MINTMARK_PASSWORD_MIN_LENGTH', '0x10', /from 8 to 64/],
  ['MINTMARK_FACTOR_RESET_HOURS', '721', /from 0 to 720/],
  ['MINTMARK_FACTOR_RESET_HOURS', '-1', /from 0 to 720/],
  ['MINTMARK_FACTOR_RESET_HOURS', '1.5', /from 0 to 720/],
  ['MINTMARK_FACTOR_RESET_HOURS', '24h', /from 0 to 720/],
  ['MINTMARK_SESSION_IDLE_SECONDS', '299', /from 300 to/],
  ['MINTMARK_SESSION_IDLE_SECONDS', '-1', /from 300 to/],
  ['MINTMARK_SESSION_ABSOLUTE_SECONDS', '31536001', /from 300 to/],
  ['MINTMARK_SESSION_ABSOLUTE_SECONDS', 'Infinity', /from 300 to/],
  ['MINTMARK_LOG_LEVEL', 'verbose', /one of fatal, error, warn, info/],
  ['MINTMARK_LOG_LEVEL', 'INFO', /one of fatal/],
  ['MINTMARK_PRODUCT', 'a\nb', /one line/],
  ['MINTMARK_PRODUCT', 'x'.repeat(201), /at most 200/],
  ['MINTMARK_MAIL_FROM', 'a@b\r\nBcc: everyone', /one line/],
  ['MINTMARK_TRUSTED_PROXIES', 'proxy.example.com', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', '10.0.0.0/33', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', '10.0.0.0/', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', '10.0.0.0/8/8', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', '10.0.0/8', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', 'fd00::/129', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', 'true', /is not an address or a block/],
  ['MINTMARK_TRUSTED_PROXIES', '0.0.0.0/0', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '0.0.0.0/1', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '128.0.0.0/7', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '::/0', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '2000::/3', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '8000::/1', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', 'e000::/7', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', 'fc00::/6', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '::ffff:0.0.0.0/96', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '::ffff:0:0/95', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '::/64', /trusts everybody/],
  ['MINTMARK_TRUSTED_PROXIES', '::ffff:128.0.0.0/97', /trusts everybody/],
  [
    'MINTMARK_TRUSTED_PROXIES',
    Array.from({ length: 128 }, (_, first) => `${first}.0.0.0/8`).join(),
    /half of all addresses/,
  ],
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0', /accepts every certificate: remove it/],
  ['NODE_TLS_REJECT_UNAUTHORIZED', '0', /NODE_EXTRA_CA_CERTS/, production],
  ['REDIS_URL', 'redis://a:1?commandTimeout=60000', /the parameter commandTimeout is not supported/],
  ['REDIS_URL', 'redis://a:1,redis://b:2?family=6', /the parameter family is not supported/],
  ['REDIS_URL', 'redis://a:1/sessions', /must be a database number/],
  ['SMTP_URL', 'smtp://mail.example.com?tls=off', /tls must be none/, production],
  [
    'SMTP_URL',
    'smtps://mail.example.com?rejectUnauthorized=false',
    /is not supported: remove it/,
    production,
  ],
  ['REDIS_URL', 'localhost:6379', /redis:\/\/host:6379/],
  ['REDIS_URL', 'http://localhost:6379', /redis:\/\/host:6379/],
  ['REDIS_URL', 'redis://a:1,b:2', /with commas/],
  ['REDIS_URL', 'redis://a:1,', /with commas/],
  ['REDIS_URL', 'redis://a:1,rediss://b:2', /same scheme, user and password/],
  ['REDIS_URL', 'redis://u:p@a:1,redis://u:q@b:2', /same scheme, user and password/],
  ['REDIS_URL', 'redis://a:1/3,redis://b:2/3', /has no databases/],
  ['SESSION_STORE', 'memory', /postgres or redis/],
  ['SESSION_STORE', 'redis', /needs REDIS_URL/],
  ['MINTMARK_SESSION_REDIS_UNSAFE', 'yes', /must be accepted/],
  ['DATABASE_URL', 'mysql://u@h/d', /postgres:\/\/user/, production],
  ['DATABASE_URL', 'db.example.com', /postgres:\/\/user/, production],
  ['MINTMARK_OWNER_DATABASE_URL', 'db.example.com', /write it like DATABASE_URL/],
  ['MINTMARK_OWNER_DATABASE_URL', 'mysql://u@h/d', /write it like DATABASE_URL/, production],
  ['SMTP_URL', 'mail.example.com:587', /smtps:\/\/user:password@host:465/],
  ['SMTP_URL', 'https://mail.example.com', /smtps:\/\/user:password@host:465/, production],
]

test('each value that cannot be used is refused, by the name of its setting and with the mend', t => {
  for (const [name, value, mend, env] of bad) {
    const faults = faultsOf({ ...env, [name]: value })
    t.equal(faults.length, 1, `${name}=${JSON.stringify(value)}: ${faults}`)
    t.equal(faults[0]?.startsWith(name), true, `it begins with the name: ${faults[0]}`)
    t.match(faults[0], mend)
  }
  t.end()
})

test('an address of Postgres has the one parameter that is understood, with the words that it takes', t => {
  const of = (query: string) => `${production.DATABASE_URL}?${query}`
  const refused: [query: string, remedy: RegExp][] = [
    ['sslmode=bogus', /sslmode takes disable, require, verify-full, not bogus/],
    ['sslmode=', /sslmode takes disable/],
    ['sslmode=no-verify', /sslmode takes disable/],
    ['sslmode=prefer', /sslmode takes disable/],
    ['sslmode=allow', /sslmode takes disable/],
    ['sslmode=verify-ca', /sslmode takes disable/],
    ['sslmode=VERIFY-FULL', /sslmode takes disable/],
    ['sslmode=verify-full&sslmode=disable', /sslmode is given twice/],
    ['ssl=true', /the parameter ssl is not supported: remove it/],
    ['sslrootcert=/etc/ca.pem', /name the file in NODE_EXTRA_CA_CERTS/],
    ['options=-c%20role%3Dnone', /the parameter options is not supported/],
    ['default_transaction_read_only=on', /the parameter default_transaction_read_only is not supported/],
    ['synchronous_commit=off', /the parameter synchronous_commit is not supported/],
    ['prepare=false', /the parameter prepare is not supported/],
    ['SSLMODE=disable', /the parameter SSLMODE is not supported/],
  ]
  for (const name of ['DATABASE_URL', 'MINTMARK_OWNER_DATABASE_URL']) {
    for (const [query, remedy] of refused) {
      const faults = faultsOf({ ...production, [name]: of(query) })
      t.equal(faults.length, 1, `${query}: ${faults}`)
      t.match(faults[0], remedy)
      t.equal(faults[0]?.startsWith(`${name}: `), true)
      t.notMatch(faults[0], /s3cret/)
    }
    for (const mode of ['disable', 'require', 'verify-full'])
      t.strictSame(faultsOf({ ...production, [name]: of(`sslmode=${mode}`) }), [])
  }
  t.end()
})

test('what leaves this machine is encrypted and its server authenticated, unless the address says otherwise', t => {
  const plain = ['127.0.0.1', '[::1]', 'localhost']
  for (const host of plain) t.equal(tlsOf(`postgres://u@${host}/d`), false, host)
  const full = { rejectUnauthorized: true }
  t.strictSame(tlsOf('postgres://u@db.example.com/d'), full)
  t.strictSame(tlsOf('postgres://u@192.0.2.1/d'), { ...full, host: '192.0.2.1' })
  t.strictSame(tlsOf('postgres://u@[2001:db8::1]/d'), { ...full, host: '2001:db8::1' })
  for (const host of [...plain, 'db.example.com']) {
    t.equal(tlsOf(`postgres://u@${host}/d?sslmode=disable`), false)
    t.equal(tlsOf(`postgres://u@${host}/d?sslmode=require`), 'require')
    t.match(tlsOf(`postgres://u@${host}/d?sslmode=verify-full`), full)
  }
  t.end()
})

test('all faults are told at once, in one message', t => {
  const env = {
    MINTMARK_TYPO: '1',
    MINTMARK_OTHER_TYPO: '1',
    MINTMARK_LISTEN: 'nowhere',
    MINTMARK_PASSWORD_MIN_LENGTH: '3',
    MINTMARK_SESSION_IDLE_SECONDS: 'long',
    MINTMARK_LOG_LEVEL: 'loud',
    MINTMARK_TRUSTED_PROXIES: 'x,y',
    MINTMARK_DATA_FOLDER: 'data',
    DATABASE_URL: 'postgres//',
    REDIS_URL: 'redis',
    MINTMARK_OWNER_DATABASE_URL: 'owner',
    SMTP_URL: 'mail',
    MINTMARK_OUTBOX_FOLDER: 'outbox',
    ISSUER: 'http://id.example.com',
    NODE_ENV: 'production',
  }
  const faults = faultsOf(env)
  // Two for the proxies; DATABASE_URL is malformed, and contradicts the data folder; SMTP_URL is malformed, and contradicts the outbox.
  t.equal(faults.length, 15, faults.join('\n'))
  let message = ''
  try {
    parseConfig(env)
  } catch (error) {
    message = (error as Error).message
  }
  for (const fault of faults) t.ok(message.includes(`\n  - ${fault}`))
  t.match(message, /^Mintmark does not start:/)
  t.end()
})

test('a refusal shows no password', t => {
  for (const DATABASE_URL of ['mysql://u:s3cret@h/d', 'u:s3cret@h', 'postgres:/\\u:s3cret@h:99999/d'])
    t.notMatch(faultsOf({ ...production, DATABASE_URL }).join(), /s3cret/, DATABASE_URL)
  for (const name of ['REDIS_URL', 'SMTP_URL', 'MINTMARK_OWNER_DATABASE_URL'])
    t.notMatch(faultsOf({ [name]: 'u:s3cret@h' }).join(), /s3cret/, name)
  t.notMatch(faultsOf({ ISSUER: 'https://u:s3cret@id.example.com' }).join(), /s3cret/)
  t.end()
})

test('an issuer is an origin, and nothing is served over plain http outside loopback', t => {
  for (const ISSUER of [
    'https://id.example.com',
    'https://id.example.com:8443',
    'https://xn--bcher-kva.example',
    'https://192.0.2.1',
    'http://localhost:4000',
    'http://id.localhost:4000',
    'http://127.0.0.1:4000',
    'http://127.255.0.9',
    'http://[::1]:4000',
  ]) {
    t.strictSame(faultsOf({ ISSUER }), [], ISSUER)
    t.equal(parseConfig({ ISSUER }).issuer, ISSUER)
  }
  const refused: [string, RegExp][] = [
    ['https://id.example.com/', /without a path.*write https:\/\/id\.example\.com$/],
    ['https://id.example.com/auth', /without a path.*write https:\/\/id\.example\.com$/],
    ['https://id.example.com?tenant=1', /without a path, query/],
    ['https://id.example.com#x', /write https:\/\/id\.example\.com$/],
    ['https://ID.example.com', /write https:\/\/id\.example\.com$/],
    ['https://id.example.com:443', /write https:\/\/id\.example\.com$/],
    ['https://user@id.example.com', /write https:\/\/id\.example\.com$/],
    ['https://bücher.example', /write https:\/\/xn--bcher-kva\.example$/],
    ['id.example.com', /like https:\/\/id\.example\.com/],
    ['ftp://id.example.com', /like https:\/\/id\.example\.com/],
    ['http://id.example.com', /use https/],
    ['http://192.168.0.1:4000', /use https/],
    ['http://0.0.0.0:4000', /use https/],
    ['http://[::]:4000', /use https/],
    ['http://[::ffff:7f00:1]:4000', /use https/],
    ['http://127.0.0.1.example.com', /use https/],
    ['http://localhost.example.com', /use https/],
    ['http://notlocalhost', /use https/],
    ['http://128.0.0.1', /use https/],
  ]
  for (const [ISSUER, mend] of refused) {
    for (const env of [{ ISSUER }, { ...production, ISSUER }]) {
      const faults = faultsOf(env)
      t.equal(faults.length, 1, `${ISSUER}: ${faults}`)
      t.match(faults[0], mend)
      t.match(faults[0], /^ISSUER /)
    }
  }
  t.equal(isLocalToBrowsers('localhost'), true)
  t.equal(isLocalToBrowsers('127.1.evil.example'), false)
  t.end()
})

test('without an issuer the embedded default names its own address, whatever its port', t => {
  for (const [listen, issuer] of [
    ['127.0.0.1:5000', 'http://localhost:5000'],
    ['127.0.0.1:80', 'http://localhost'],
    ['[::1]:4000', 'http://localhost:4000'],
  ] as const) {
    t.strictSame(faultsOf({ MINTMARK_LISTEN: listen }), [], listen)
    if (faultsOf({ MINTMARK_LISTEN: listen }).length === 0)
      t.equal(parseConfig({ MINTMARK_LISTEN: listen }).issuer, issuer)
  }
  t.end()
})

test('production needs what it cannot guess', t => {
  t.strictSame(faultsOf(production), [])
  t.match(faultsOf({ NODE_ENV: 'production' }), [/^NODE_ENV=production needs DATABASE_URL/])
  t.match(faultsOf({ NODE_ENV: 'production', DATABASE_URL: ' ' }), [
    /^NODE_ENV=production needs DATABASE_URL/,
  ])
  t.match(faultsOf({ ...production, ISSUER: '' }), [/^ISSUER is missing/])
  t.match(faultsOf({ ...production, SMTP_URL: '' }), [/^SMTP_URL is missing.*MINTMARK_OUTBOX_FOLDER/])
  t.strictSame(faultsOf({ ...production, SMTP_URL: '', MINTMARK_OUTBOX_FOLDER: 'mail' }), [], 'mail as files')
  t.equal(faultsOf({ DATABASE_URL: production.DATABASE_URL }).length, 2, 'with or without NODE_ENV')
  t.end()
})

test('passkeys belong to the host of the issuer, or to a parent domain that can be registered', t => {
  t.equal(parseConfig(production).passkeyRpId, 'id.example.com')
  t.equal(parseConfig({}).passkeyRpId, 'localhost')
  for (const id of ['id.example.com', 'example.com'])
    t.equal(parseConfig({ ...production, MINTMARK_PASSKEY_RP_ID: id }).passkeyRpId, id)
  for (const id of [
    'com',
    'xample.com',
    'a.id.example.com',
    'example.org',
    'https://example.com',
    '.example.com',
  ])
    t.match(faultsOf({ ...production, MINTMARK_PASSKEY_RP_ID: id }), [
      /^MINTMARK_PASSKEY_RP_ID .* is neither the host of ISSUER nor a parent .* set it to id\.example\.com, or remove it$/,
    ])
  const shared = { ...production, ISSUER: 'https://me.github.io', MINTMARK_PASSKEY_RP_ID: 'github.io' }
  t.equal(faultsOf(shared).length, 1, 'it is everybody’s')
  t.end()
})

test('values that contradict each other are refused', t => {
  const contradictions: [Record<string, string>, RegExp][] = [
    [{ MINTMARK_LISTEN: '127.0.0.1:4001' }, /^MINTMARK_LISTEN and MINTMARK_HEALTH_LISTEN are the same/],
    [
      { MINTMARK_SESSION_IDLE_SECONDS: '600', MINTMARK_SESSION_ABSOLUTE_SECONDS: '599' },
      /^MINTMARK_SESSION_IDLE_SECONDS is longer/,
    ],
    [{ MINTMARK_SESSION_ABSOLUTE_SECONDS: '3600' }, /^MINTMARK_SESSION_IDLE_SECONDS is longer/],
    [{ ...production, MINTMARK_DATA_FOLDER: 'data' }, /^DATABASE_URL and MINTMARK_DATA_FOLDER contradict/],
    [{ ...production, MINTMARK_OUTBOX_FOLDER: 'mail' }, /^SMTP_URL and MINTMARK_OUTBOX_FOLDER contradict/],
  ]
  for (const [env, mend] of contradictions) t.match(faultsOf(env), [mend])
  t.strictSame(
    faultsOf({ MINTMARK_LISTEN: '127.0.0.1:0', MINTMARK_HEALTH_LISTEN: '127.0.0.1:0' }),
    [],
    'two free ports are two ports',
  )
  t.end()
})

test('.env.example names every setting and nothing else, and can be copied as it is', t => {
  const text = readFileSync(new URL('.env.example', rootUrl), 'utf8')
  const named = [...text.matchAll(/^#?\s*([A-Za-z_][A-Za-z0-9_]*)=/gm)].map(match => match[1])
  t.ok(known.length > 5, 'the list of the message was read')
  t.strictSame([...new Set(named)].sort(), [...known, ...plain].sort())
  const active = [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value])
  t.strictSame(faultsOf(Object.fromEntries(active)), [])
  t.end()
})
