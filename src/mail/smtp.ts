/** Mail by SMTP: TLS wherever it leaves this machine, short time-outs, a check at start. */
import { createTransport } from 'nodemailer'
import type { Post } from '../login/mail.js'
import { isLoopback } from '../loopback.js'
import { compose } from './compose.js'

/** Milliseconds. */
const timeouts = { connectionTimeout: 5000, greetingTimeout: 5000, socketTimeout: 15_000, dnsTimeout: 5000 }

export interface SmtpOptions {
  /**
   * `smtps://` speaks TLS from the first byte (RFC 8314). `smtp://` must be able to STARTTLS, except towards loopback,
   * or with `?tls=none`, which is for a mail catcher in development. User and password stand in the address.
   */
  readonly url: string
  readonly product: string
  readonly sender: string
}

export interface SmtpPost extends Post {
  /** Throws when the server cannot be reached, lets nobody in, or has no TLS where it must. */
  check(): Promise<void>
  close(): void
}

/** A refusal that a later try will not change (an SMTP reply of 5yz; RFC 5321, section 4.2.1). */
export class Undeliverable extends Error {
  override readonly name = 'Undeliverable'
}

export function openSmtp({ url, product, sender }: SmtpOptions): SmtpPost {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url)
  const secure = protocol === 'smtps:'
  const plain = isLoopback(hostname) || searchParams.get('tls') === 'none'
  const transport = createTransport({
    pool: true,
    maxConnections: 4,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: !secure && !plain,
    ignoreTLS: searchParams.get('tls') === 'none',
    tls: { minVersion: 'TLSv1.2' },
    ...(username !== '' && {
      auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    }),
    disableFileAccess: true,
    disableUrlAccess: true,
    ...timeouts,
  })
  return {
    async send(mail) {
      const { to, subject, text, html } = compose(mail, product)
      const headers = { 'Auto-Submitted': 'auto-generated' }
      try {
        await transport.sendMail({
          from: sender,
          to: { name: '', address: to },
          subject,
          text,
          html,
          headers,
        })
      } catch (error) {
        throw withoutContent(error)
      }
    },
    async check() {
      await transport.verify().catch(error => {
        throw withoutContent(error)
      })
    },
    close: () => transport.close(),
  }
}

/** What a mail server says may repeat an address or a line of the message: only its code is kept. */
function withoutContent(error: unknown): Error {
  const { code = 'unknown', responseCode } = error as { code?: string; responseCode?: number }
  const message = `SMTP: ${code}${responseCode === undefined ? '' : ` (${responseCode})`}`
  return responseCode !== undefined && responseCode >= 500 && code !== 'EAUTH'
    ? new Undeliverable(message)
    : new Error(message)
}
