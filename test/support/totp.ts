/** What an authenticator app shows (RFC 6238), by node:crypto alone: nothing here comes from the library of the service. */
import { createHmac } from 'node:crypto'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

export const stepNow = () => Math.floor(Date.now() / 30_000)

/** The six digits of a secret in base32 at this step of 30 seconds. */
export function codeAt(secret: string, step = stepNow()): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest()
  const offset = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** Six digits that are the code of none of the steps around now. */
export function wrongCode(secret: string): string {
  const around = new Set([-2, -1, 0, 1, 2].map(more => codeAt(secret, stepNow() + more)))
  for (let number = 0; ; number++) {
    const code = String(number).padStart(6, '0')
    if (!around.has(code)) return code
  }
}

function fromBase32(text: string): Buffer {
  const bits = [...text].map(letter => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from(bits.match(/.{8}/g)?.map(byte => Number.parseInt(byte, 2)) ?? [])
}
