/** Mail by SMTP: TLS wherever it leaves this machine, short time-outs, a check at start. */
import { isIPv4 } from 'node:net'
import { createTransport } from 'nodemailer'
import type { SMTPError } from 'nodemailer/lib/smtp-connection'
import { isLoopback } from '../core/loopback.js'
import type { Mailer } from '../core/mail.js'
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
  /** The service's own host, as a URL has it: the server is greeted with it (EHLO; RFC 5321, section 4.1.1.1). */
  readonly host: string
}

export interface SmtpPost extends Mailer {
  /** Throws when the server cannot be reached, lets nobody in, or has no TLS where it must. */
  check(): Promise<void>
  close(): void
}

/** A refusal that a later try will not change (an SMTP reply of 5yz; RFC 5321, section 4.2.1). */
export class Undeliverable extends Error {
  override readonly name = 'Undeliverable'
}

export function openSmtp({ url, product, sender, host }: SmtpOptions): SmtpPost {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url)
  const secure = protocol === 'smtps:'
  const plain = isLoopback(hostname) || searchParams.get('tls') === 'none'
  const transport = createTransport({
    pool: true,
    // Not the machine's name: a container's has no dot, and strict servers refuse every recipient after it.
    name: greeting(host),
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

/** An address takes the form of RFC 5321, section 4.1.3. */
function greeting(host: string): string {
  if (host.startsWith('[')) return `[IPv6:${host.slice(1, -1)}]`
  return isIPv4(host) ? `[${host}]` : host
}

/** Without addresses, links and what else a mail server repeats of the message. */
function withoutContent(error: unknown): Error {
  const { code = 'unknown', responseCode, response } = error as Partial<SMTPError>
  const reply = responseCode === undefined ? '' : ` (${responseCode})`
  const words = response === undefined || code === 'EAUTH' ? '' : wordsOf(response)
  const message = `SMTP: ${code}${reply}${words && `: ${words}`}`
  return responseCode !== undefined && responseCode >= 500 && code !== 'EAUTH'
    ? new Undeliverable(message)
    : new Error(message)
}

/** The text of a reply, without its code: plain words alone, and not many. */
function wordsOf(response: string): string {
  return response
    .slice(0, 1000)
    .split(/\s+/)
    .filter(word => !/^\d{3}-?$/.test(word))
    .map(word => (/^[\x21-\x7e]{1,24}$/.test(word) && !/[@#]|\/\//.test(word) ? word : '…'))
    .join(' ')
    .slice(0, 200)
}
