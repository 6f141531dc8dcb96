/** Mail as files: each message is an .eml in a folder that only its owner may read. */
import { randomUUID } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import type { Post } from '../login/mail.js'
import { compose, type Message } from './compose.js'

export interface OutboxOptions {
  readonly folder: string
  readonly product: string
  readonly sender: string
  /** Called with what was written, for the terminal of the embedded default. */
  readonly written?: (message: Message, file: string) => void
}

export async function openOutbox({ folder, product, sender, written }: OutboxOptions): Promise<Post> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const transport = createTransport({ streamTransport: true, buffer: true })
  return {
    async send(mail) {
      const message = compose(mail, product)
      const { to, subject, text, html } = message
      const { message: raw } = await transport.sendMail({ from: sender, to, subject, text, html })
      const file = join(folder, `${randomUUID()}.eml`)
      // Under another name until it is whole: whoever watches the folder sees finished messages only.
      await writeFile(`${file}.part`, raw as Buffer, { mode: 0o600 })
      await rename(`${file}.part`, file)
      written?.(message, file)
    },
  }
}
