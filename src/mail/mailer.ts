/** The mailer of this configuration: a mail server with retries, or the outbox folder. */
import type { Mailer } from '../core/mail.js'
import type { Message } from './compose.js'
import { openOutbox } from './outbox.js'
import { retrying } from './retrying.js'
import { openSmtp } from './smtp.js'

export interface MailSettings {
  readonly issuer: string
  /** Mail goes to a server, or into a folder as files. */
  readonly mail: { readonly smtpUrl: string } | { readonly outboxFolder: string }
  /** What mail calls this service, and who it comes from. */
  readonly product: string
  readonly mailFrom: string
}

export interface OpenMailer extends Mailer {
  /** Throws when mail could not be sent now. */
  check(): Promise<void>
  /** Gives up what still waits. */
  close(): void
}

/** `written` is called for each file of the outbox. `once`: somebody waits for it, so a server away is no reason to. */
export async function openMailer(
  { issuer, mail, product, mailFrom: sender }: MailSettings,
  written?: (message: Message, file: string) => void,
  { once = false } = {},
): Promise<OpenMailer> {
  if ('outboxFolder' in mail) {
    const outbox = await openOutbox({
      folder: mail.outboxFolder,
      product,
      sender,
      ...(written && { written }),
    })
    return { ...outbox, check: async () => {}, close: () => {} }
  }
  const smtp = openSmtp({ url: mail.smtpUrl, product, sender, host: new URL(issuer).hostname })
  const mailer = once ? retrying(smtp, []) : retrying(smtp)
  return {
    send: mailer.send,
    check: smtp.check,
    close() {
      mailer.close()
      smtp.close()
    },
  }
}
