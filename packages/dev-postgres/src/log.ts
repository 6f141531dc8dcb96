/** The log of the embedded Postgres: one file for this start, one of the start before, both of bounded size. */
import { constants } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { giveToOwnerOf } from './lock.js'

const maxBytes = 8 * 1024 * 1024
const checkEverySeconds = 60

export interface Log {
  file: string
  fd: number
  lastLines(): Promise<string>
  close(): Promise<void>
}

export async function openLog(folder: string): Promise<Log> {
  const file = join(folder, 'postgres.log')
  await rename(file, join(folder, 'postgres.previous.log')).catch(() => {})
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants
  const handle = await open(file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
  await giveToOwnerOf(folder, file)
  const timer = setInterval(() => void bound(handle), checkEverySeconds * 1000).unref()
  return {
    file,
    fd: handle.fd,
    lastLines: () => lastLines(handle),
    close: async () => {
      clearInterval(timer)
      await handle.close()
    },
  }
}

/** Emptied in place: every writer appends, so none leaves a hole. */
async function bound(handle: FileHandle): Promise<void> {
  try {
    if ((await handle.stat()).size > maxBytes) await handle.truncate(0)
  } catch {
    // Closed meanwhile, or a full disk: the next round tries again.
  }
}

async function lastLines(handle: FileHandle): Promise<string> {
  const { size } = await handle.stat()
  const buffer = Buffer.alloc(Math.min(size, 4096))
  await handle.read(buffer, 0, buffer.length, size - buffer.length)
  return buffer.toString('utf8').trimEnd().split('\n').slice(-12).join('\n')
}
