/** A real SMTP server of the test's own: keeps what it is sent, and refuses or holds what the test wants it to. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'
import { openSmtp } from '../../src/mail/smtp.js'

export interface ReceivedMail extends ParsedMail {
  readonly envelope: { readonly from: string; readonly to: readonly string[]; readonly tls: boolean }
  readonly raw: string
}

export interface MailReceiver {
  readonly port: number
  readonly received: readonly ReceivedMail[]
  /** The recipients of every attempt, those refused as well. */
  readonly attempts: readonly string[]
  /** Replies to the next attempts, in order: a code refuses with a text that repeats the recipient. */
  refuseNext(...codes: number[]): void
  /** From now on mails are taken but not answered; what is called lets them go. */
  hold(): () => void
}

const plain: SMTPServerOptions = { authOptional: true, hideSTARTTLS: true, disabledCommands: ['STARTTLS'] }

/** Without options: no TLS, no password, on every address of this machine. */
export async function mailReceiver(t: Test, options: SMTPServerOptions = plain): Promise<MailReceiver> {
  const received: ReceivedMail[] = []
  const attempts: string[] = []
  const refusals: number[] = []
  let held: Promise<void> = Promise.resolve()
  const server = new SMTPServer({
    disableReverseLookup: true,
    closeTimeout: 1,
    onRcptTo({ address }, _session, callback) {
      attempts.push(address)
      const responseCode = refusals.shift()
      if (responseCode === undefined) return callback()
      callback(Object.assign(new Error(`<${address}> is not wanted`), { responseCode }))
    },
    onData(stream, { envelope, secure }, callback) {
      const chunks: Buffer[] = []
      stream.on('data', chunk => chunks.push(chunk))
      stream.on('end', async () => {
        const raw = Buffer.concat(chunks)
        await held
        const parsed = await simpleParser(raw)
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
        const to = envelope.rcptTo.map(({ address }) => address)
        received.push({ ...parsed, envelope: { from, to, tls: secure }, raw: raw.toString() })
        callback()
      })
    },
    ...options,
  })
  // A client that breaks off is what some tests are about.
  server.on('error', () => {})
  await new Promise<void>(resolve => server.listen(0, '0.0.0.0', resolve))
  t.teardown(() => new Promise<void>(resolve => server.close(resolve)))
  const { port } = server.server.address() as { port: number }
  return {
    port,
    received,
    attempts,
    refuseNext: (...codes) => void refusals.push(...codes),
    hold() {
      let release = () => {}
      held = new Promise(resolve => {
        release = resolve
      })
      return release
    },
  }
}

export const skipWithoutOpenssl = spawnSync('openssl', ['version']).status !== 0 && 'openssl is not installed'

export interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
  /** Where the certificate lies: trusted by a process that is started with NODE_EXTRA_CA_CERTS. */
  readonly file: string
}

/** A self-signed certificate for these names, such as `DNS:localhost` or `IP:127.0.0.1`. */
export async function certificate(t: Test, ...names: string[]): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-tls-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [keyFile, file] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const about = ['-days', '1', '-subj', '/CN=mail', '-addext', `subjectAltName=${names.join(',')}`]
  execFileSync('openssl', ['req', '-x509', ...curve, ...about, '-keyout', keyFile, '-out', file], {
    stdio: 'ignore',
  })
  return { key: await readFile(keyFile), cert: await readFile(file), file }
}

/** The service's own sender, which mails to this receiver. */
export function mailerTo(t: Test, { port }: Pick<MailReceiver, 'port'>) {
  const mailer = openSmtp({
    url: `smtp://127.0.0.1:${port}`,
    product: 'Mintmark',
    sender: 'id@example.com',
    host: 'id.example.com',
  })
  t.teardown(() => mailer.close())
  return mailer
}
