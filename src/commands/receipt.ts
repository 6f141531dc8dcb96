/** What a command that revokes says of its receipt: who has confirmed it, who rejects everything, and who may not know it. */
import { InvalidArgumentError } from 'commander'
import type { Operator } from '../boot/operator.js'
import { describeReceipt, type Receipt } from '../feed/receipts.js'
import { type Form, say } from './output.js'
import { time } from './table.js'

export const waits = [
  '--wait <seconds>',
  'wait until every known verifier has applied it, at most this long (1 to 10)',
  seconds,
] as const

/** Once they have ended, whether or not it becomes known who has applied it. */
export async function sayEnded(
  domain: Operator,
  form: Form,
  wait: number | undefined,
  document: object,
  said: string,
): Promise<void> {
  if (wait === undefined) return say(form, document, said)
  const receipt = await receiptAfter(domain, wait)
  say(form, { ...document, ...documentOf(receipt) }, [said, ...prose(receipt)])
}

/** Undefined where the feed could not be read: what was revoked stays revoked. */
async function receiptAfter({ feed }: Operator, wait: number): Promise<Receipt | undefined> {
  try {
    const position = await feed.reports.position()
    await feed.receipts.wait(position, wait * 1000, new AbortController().signal)
    const receipt = await feed.receipts.of(position)
    return receipt === 'unknown' ? undefined : receipt
  } catch {
    return undefined
  }
}

const documentOf = (receipt: Receipt | undefined) => ({
  revocation: receipt === undefined ? null : describeReceipt(receipt),
})

function prose(receipt: Receipt | undefined): string[] {
  if (!receipt)
    return ['The feed could not be read, so it is not known which verifiers have applied it. It is valid.']
  const { confirmed, fenced, waiting, unknownUntil } = receipt
  const line = (says: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${says}: ${names.join(', ')}.`]
  return [
    ...line('Applied by', confirmed),
    ...line(
      'Cut off, and rejecting every token',
      fenced.map(({ verifier }) => verifier),
    ),
    ...line('Not applied yet by', waiting),
    `Every other verifier rejects the tokens at the latest at ${time(unknownUntil)}.`,
  ]
}

function seconds(text: string): number {
  const value = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > 10) throw new InvalidArgumentError('Write a number of seconds from 1 to 10.')
  return value
}
