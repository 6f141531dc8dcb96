/** Mail as files: each message is an .eml in a folder that only its owner may read. */
import { randomUUID } from 'node:crypto'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { StartRefused } from '../core/errors.js'
import { makeFolder } from '../core/folder.js'
import type { Mailer } from '../core/mail.js'
import { compose, type Message } from './compose.js'

export interface OutboxOptions {
  readonly folder: string
  readonly product: string
  readonly sender: string
  /** Called with what was written, for the terminal of the embedded default. */
  readonly written?: (message: Message, file: string) => void
}

export async function openOutbox({ folder, product, sender, written }: OutboxOptions): Promise<Mailer> {
  await ownFolder(folder)
  const transport = createTransport({ streamTransport: true, buffer: true })
  return {
    async send(mail) {
      const message = compose(mail, product)
      const { to, subject, text, html } = message
      const { message: raw } = await transport.sendMail({ from: sender, to, subject, text, html })
      const file = join(folder, `${randomUUID()}.eml`)
      // Under another name until it is whole: anybody who watches the folder sees finished messages only.
      try {
        await writeFile(`${file}.part`, raw as Buffer, { mode: 0o600 })
        await rename(`${file}.part`, file)
      } catch (error) {
        await rm(`${file}.part`, { force: true })
        throw error
      }
      written?.(message, file)
    },
  }
}

/** Anybody who can write to the folder could put mail of their own before the mailer. */
async function ownFolder(folder: string): Promise<void> {
  try {
    await makeFolder(folder, 0o700)
    if (((await stat(folder)).mode & 0o022) === 0) return
  } catch (error) {
    throw new StartRefused([
      `the outbox folder ${folder} cannot be made (${(error as NodeJS.ErrnoException).code}): set MINTMARK_OUTBOX_FOLDER to another`,
    ])
  }
  throw new StartRefused([
    `the outbox folder ${folder} can be written by group or others: chmod 700 ${folder}`,
  ])
}
