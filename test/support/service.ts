/** The real service on a database of its own: what a test file starts, and how it reads the mail that was sent. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type Argon2Parameters, DEFAULT_PARAMETERS } from '../../src/accounts/password-hash.js'
import { parseConfig } from '../../src/boot/config.js'
import { type Service, startService } from '../../src/boot/start.js'
import { openTrustedGeneration } from '../../src/boot/trusted-generation.js'
import type { Mailer } from '../../src/core/mail.js'
import type { Message } from '../../src/mail/compose.js'
import { openOutbox } from '../../src/mail/outbox.js'
import { loadKeyEncryptionKeys, makeFirstKey } from '../../src/sealing/key-encryption-keys.js'
import { Browser } from './browser.js'
import { type TestDatabase, testDatabase } from './database.js'
import { sealsWith } from './seals.js'

export const issuer = 'http://localhost:4000'
export const appOrigin = 'http://localhost:5173'
export const goodPassword = 'several unrelated words here'

/** A hundredth of the time; what production hashes with is for those tests that measure it or look at it. */
export const lightArgon2: Argon2Parameters = { memoryKib: 8, passes: 1, lanes: 1 }
export const productionArgon2 = DEFAULT_PARAMETERS

export interface TestService extends Service {
  readonly database: TestDatabase
  /** What it calls itself. */
  readonly issuer: string
  /** Every mail so far, oldest first; they are files in a real outbox as well. */
  readonly mails: readonly Message[]
  /** The next mail to this address that no earlier call has returned. */
  mailTo(address: string): Promise<Message>
  /** Where the key-encryption key and the outbox are. */
  readonly folder: string
  /** Every line logged so far, at level trace. */
  readonly logLines: readonly string[]
  /** A browser at the issuer's own origin (or another one) that keeps its cookie. */
  browser(origin?: string | null): Browser
  /** A person who signed up the way people do; the browser is signed in. */
  signUp(email: string, password?: string): Promise<{ browser: Browser; user: string }>
}

export interface TestServiceOptions {
  readonly env?: Record<string, string>
  /** Another instance on the same database, keys and outbox. */
  readonly beside?: TestService
  readonly lookEveryMs?: number
  readonly cleanEveryMs?: number
  readonly answerWithinMs?: number
  /** Work that must not be noticed starts at once, when not named. */
  readonly unnoticedWithinMs?: number
  /** A database that the test made, when it puts something between. */
  readonly database?: TestDatabase
  /** Where Postgres is reached, when not directly. */
  readonly address?: TestDatabase['address']
  /** How mail goes out, when not into the outbox: then `mails` stays empty. */
  readonly mailer?: Mailer
  /** What a password hash costs; the least there is, when not named. */
  readonly argon2?: Argon2Parameters
}

interface Shared {
  readonly folder: string
  readonly mails: Message[]
}
const shared = new WeakMap<TestService, Shared>()

export async function testService(t: Test, options: TestServiceOptions = {}): Promise<TestService> {
  const database = options.beside?.database ?? options.database ?? (await testDatabase(t))
  const { folder, mails } = (options.beside && shared.get(options.beside)) ?? (await freshFolder(t))
  const config = parseConfig({
    ISSUER: issuer,
    MINTMARK_LISTEN: '127.0.0.1:0',
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
    MINTMARK_LOG_LEVEL: 'trace',
    ...options.env,
  })
  const logLines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logLines.push(String(chunk))
      done()
    },
  })
  const { keys } = await loadKeyEncryptionKeys(join(folder, 'keys'))
  const written = (message: Message) => void mails.push(message)
  const outbox = { folder: join(folder, 'outbox'), product: 'Mintmark', sender: 'id@example.com', written }
  const mailer = options.mailer ?? (await openOutbox(outbox))
  const log = pino({ level: 'trace' }, sink)
  const service = await startService({
    config,
    address: options.address ?? database.address,
    keks: keys,
    generation: await openTrustedGeneration(join(folder, 'keys')),
    mailer,
    log,
    argon2: options.argon2 ?? lightArgon2,
    unnoticedWithinMs: options.unnoticedWithinMs ?? 0,
    lookEveryMs: options.lookEveryMs ?? 5000,
    ...(options.answerWithinMs !== undefined && { answerWithinMs: options.answerWithinMs }),
    ...(options.cleanEveryMs !== undefined && { cleanEveryMs: options.cleanEveryMs }),
  })
  t.teardown(() => service.close())
  sealsWith(database.sql, { folder, issuer: config.issuer })

  const returned = new Set<Message>()
  const test: TestService = {
    ...service,
    issuer: config.issuer,
    folder,
    database,
    mails,
    logLines,
    async mailTo(address) {
      const mail = await eventually(() => mails.find(mail => mail.to === address && !returned.has(mail)))
      returned.add(mail)
      return mail
    },
    browser: (origin = config.issuer) => new Browser(service.app, origin, undefined, config.issuer),
    async signUp(email, password = goodPassword) {
      const browser = test.browser()
      await browser.post('/v1/sign-up', { email })
      const token = tokenIn(await test.mailTo(email))
      const answer = await browser.post('/v1/sign-up/verify', { token, password })
      if (answer.statusCode !== 201) throw new Error(`sign-up failed: ${answer.body}`)
      return { browser, user: answer.json().user.id }
    },
  }
  shared.set(test, { folder, mails })
  return test
}

export function tokenIn(mail: Message): string {
  const token = /#token=([A-Za-z0-9_-]+)$/.exec(mail.link ?? '')?.[1]
  if (token === undefined) throw new Error(`no link in the mail "${mail.subject}"`)
  return token
}

/** Waits for what happens in the background, without a fixed pause; fails when it takes too long. */
export async function eventually<T>(
  look: () => T | undefined | Promise<T | undefined>,
  seconds = 30,
): Promise<T> {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`it did not happen within ${seconds} s`)
}

async function freshFolder(t: Test): Promise<Shared> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-test-'))
  await makeFirstKey(join(folder, 'keys'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return { folder, mails: [] }
}
