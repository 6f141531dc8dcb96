/** Tries a mail again while its link is worth something. Only in memory: a stored link would sign someone in. */
import type { Mail, Mailer } from '../core/mail.js'
import { Undeliverable } from './smtp.js'

/** Milliseconds before each further try: about ten minutes in all, a third of a link's life. */
export const retryDelaysMs: readonly number[] = [1000, 5000, 30_000, 120_000, 420_000]

/** Mails that wait or are being tried. One over it is given up at once: an outage must not fill the memory. */
const mostPending = 10_000

export interface RetryingPost extends Mailer {
  /** Gives up what still waits, at shutdown. */
  close(): void
}

export function retrying(
  mailer: Mailer,
  delaysMs: readonly number[] = retryDelaysMs,
  most = mostPending,
): RetryingPost {
  const waiting = new Set<() => void>()
  let pending = 0
  let closed = false

  const wait = (ms: number) =>
    new Promise<void>(resolve => {
      const wake = () => {
        clearTimeout(timer)
        waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      waiting.add(wake)
    })

  async function attempt(mail: Mail): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await mailer.send(mail)
      } catch (error) {
        const delay = delaysMs[tries]
        if (error instanceof Undeliverable || delay === undefined || closed) throw error
        await wait(delay)
        if (closed) throw error
      }
    }
  }

  return {
    async send(mail) {
      if (pending >= most) throw new Error('too many mails are waiting')
      pending++
      try {
        await attempt(mail)
      } finally {
        pending--
      }
    },
    close() {
      closed = true
      for (const wake of waiting) wake()
    },
  }
}
