/** The process: environment -> configuration -> database -> service -> listen, and an orderly end. */
import { existsSync } from 'node:fs'
import { closeAll } from './boot/closing.js'
import { type Config, keysFolderOf, parseConfig } from './boot/config.js'
import { devPostgres, type EmbeddedPostgres, isEmbeddedRefusal, prepareEmbedded } from './boot/embedded.js'
import { noKeyFault } from './boot/first-key.js'
import { openLog } from './boot/log.js'
import { type Service, startService } from './boot/start.js'
import { openTrustedGeneration } from './boot/trusted-generation.js'
import { Outage, StartRefused } from './core/errors.js'
import type { Message } from './mail/compose.js'
import { openMailer } from './mail/mailer.js'
import { type KeyEncryptionKeys, loadKeyEncryptionKeys } from './sealing/key-encryption-keys.js'

/** Milliseconds after which the end no longer waits for anybody who reads the log. */
const mostFlushingMs = 2000

const print = (line: string) => void process.stdout.write(`${line}\n`)

async function start(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const { config, keks, warnings } = await configure()
  // The embedded default talks to a user on standard output; its log goes to standard error.
  const embeddedIn = 'embeddedIn' in config.database ? config.database.embeddedIn : undefined
  const output = openLog(config.logLevel, embeddedIn === undefined ? 1 : 2)
  const { log } = output
  for (const warning of warnings) log.warn(warning)

  const mailer = await openMailer(config, embeddedIn === undefined ? undefined : printMail)
  // Off the way of the start: a mail server that is away is a warning, users can still sign in.
  mailer
    .check()
    .catch(error =>
      log.warn(
        { mail: (error as Error).message },
        'mail cannot be sent at the moment: check SMTP_URL, and that the mail server is running and accepts this user',
      ),
    )

  const postgres =
    embeddedIn === undefined
      ? undefined
      : await (await devPostgres()).startEmbeddedPostgres({ folder: embeddedIn, say: print })
  const address = 'url' in config.database ? config.database : (postgres as EmbeddedPostgres).connection
  let service: Service
  try {
    const keys = postgres ? await prepareEmbedded(config, address, keks) : keks
    const generation = await openTrustedGeneration(config.keysFolder)
    const given = { config, address, keks: keys, generation, mailer, log, linesDropped: output.dropped }
    service = await startService(given)
  } catch (error) {
    await closeAll([() => postgres?.stop(), () => mailer.close()])
    throw error
  }
  if (postgres) greet(config, postgres.folder)
  else log.info({ issuer: config.issuer, ...service.addresses }, 'listening')

  let ending = false
  const end = async (reason: string, code: number) => {
    if (ending) return
    ending = true
    log.info({ reason }, 'closing')
    const failures = await closeAll([() => postgres?.stop(), () => mailer.close(), () => service.close()])
    for (const err of failures) log.error({ err }, 'a component did not close')
    log.info('closed')
    process.exitCode = failures.length > 0 ? 1 : code
    if (await output.close(mostFlushingMs)) return
    // A thread hangs in a write that nobody takes. Node would wait for it at any exit, a signal does not.
    process.removeAllListeners('SIGTERM')
    process.kill(process.pid, 'SIGTERM')
  }
  // Without a listener Node would open its inspector to anybody who is on this machine.
  process.on('SIGUSR1', () => {})
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end(signal, 0))
  // Nothing is known of what was under way, but what can be closed in order is. A second one ends at once.
  process.on('uncaughtException', error => {
    log.fatal({ err: error }, 'an unexpected error ended the process')
    if (ending) process.exit(1)
    void end('uncaught error', 1)
  })
  void postgres?.died.then(reason => end(`the embedded Postgres ended: ${reason}`, 1))
}

/** Every fault of settings and folders, at once. */
async function configure(): Promise<{
  config: Config
  keks: KeyEncryptionKeys
  warnings: readonly string[]
}> {
  const { keys, faults, warnings } = await loadKeyEncryptionKeys(keysFolderOf(process.env))
  const all = [...faults]
  let config: Config | undefined
  try {
    config = parseConfig(process.env)
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error
    all.unshift(...error.faults)
  }
  if (process.env.DATABASE_URL && keys.size === 0 && faults.length === 0) {
    const address = config && 'url' in config.database ? config.database : undefined
    all.push(await noKeyFault(keysFolderOf(process.env), address))
  }
  if (all.length > 0 || !config) throw new StartRefused(all)
  return { config, keks: keys, warnings }
}

/** The embedded default only: a link never passes through the logger. */
function printMail({ to, subject, link }: Message, file: string): void {
  print(`\nMail to ${to}: ${subject}\n  ${link ?? 'no link'}\n  ${file}`)
}

function greet(config: Config, dataFolder: string): void {
  const { issuer } = config
  print(`
Mintmark listens on ${issuer}
  data    ${dataFolder} (an embedded Postgres, started and stopped with the service)
  keys    ${config.keysFolder}
  mail    ${'smtpUrl' in config.mail ? 'by SMTP' : `${config.mail.outboxFolder} (each mail is a file, and its link is printed here)`}

Open ${issuer} in a browser, or sign up with
curl -sS ${issuer}/v1/sign-up -H 'X-Mintmark: 1' -H 'Content-Type: application/json' -d '{"email":"ada@example.com"}'
`)
}

/** What is expected says what to do; only a mistake of ours is told by where it was made. */
function startFailure(error: unknown): string | undefined {
  if (error instanceof StartRefused || isEmbeddedRefusal(error)) return error.message
  const { message, stack } = error as Error
  if (!(error instanceof Outage)) return stack
  return new StartRefused([
    `${message}: check DATABASE_URL, and that the server is running and accepts this user`,
  ]).message
}

start().catch((error: unknown) => {
  process.stderr.write(`${startFailure(error)}\n`)
  process.exit(1)
})
