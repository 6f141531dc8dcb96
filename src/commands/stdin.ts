/** A secret from standard input: exactly one line, since what followed it would be silently left out. */
import { isUtf8 } from 'node:buffer'
import { CommandFailed } from '../core/errors.js'

/** `wanted` is what the line must look like, where that is more than text; `fault` is said of any other. */
export async function lineOfStdin(fault: string, wanted = /^[^\n]*$/): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const line = bytes.toString().replace(/\r?\n$/, '')
  if (!isUtf8(bytes) || !wanted.test(line)) throw new CommandFailed(fault)
  return line
}
