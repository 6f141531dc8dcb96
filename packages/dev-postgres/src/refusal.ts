/** Why the embedded Postgres does not run here: an expected failure, with what fixes it. */
import { platform } from 'node:process'

/** Says what is the matter in plain words, and then, on a line of its own, what the operator can do about it. */
export class EmbeddedRefusal extends Error {
  override readonly name = 'EmbeddedRefusal'

  constructor(what: string, mend: string) {
    super(`${what}\n${mend}`)
  }
}

export const useOwnServer = 'set DATABASE_URL to a Postgres of your own'

export function errno(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function diskFull(folder: string): EmbeddedRefusal {
  return new EmbeddedRefusal(
    `The disk of ${folder} is full.`,
    `Free some space, or choose another folder, or ${useOwnServer}.`,
  )
}

const ofTheFolder = 'EACCES EPERM EROFS ENOTDIR EEXIST ENOTSUP EOPNOTSUPP ENAMETOOLONG'.split(' ')

/** What the system said about files, as a refusal; anything else is a bug and passes through. */
export function asRefusal(error: unknown, folder: string): unknown {
  const code = errno(error) ?? ''
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(folder)
  // A file system that takes no folders, as /proc, reports that it does not exist.
  const takesNone = code === 'ENOENT' && (error as NodeJS.ErrnoException).syscall === 'mkdir'
  if (!ofTheFolder.includes(code) && !takesNone) return error
  return new EmbeddedRefusal(
    `The embedded Postgres cannot work in ${folder}: ${(error as Error).message}.`,
    `Use a folder on a local disk that this user may write to, or ${useOwnServer}.`,
  )
}

/** How a program ended before it was of use, as a refusal; `lines` are the last ones of its log. */
export function endedEarly(folder: string, code: number | null, lines: string): EmbeddedRefusal {
  const log = lines ? ` The last lines of its log:\n${lines}` : ' Its log is empty.'
  if (/No space left on device|Disk quota exceeded/.test(lines)) return diskFull(folder)
  if (code === 127 || code === 126) {
    const needs = platform === 'linux' ? 'they need glibc and a disk mounted without noexec' : 'see its log'
    return new EmbeddedRefusal(
      `The binaries of the embedded Postgres cannot run on this system (${needs}).${log}`,
      `On such a system, ${useOwnServer}.`,
    )
  }
  if (/could not look up effective user ID/.test(lines)) {
    return new EmbeddedRefusal(
      `The embedded Postgres needs a user that has an entry in /etc/passwd.${log}`,
      `Start the service as such a user, or ${useOwnServer}.`,
    )
  }
  return new EmbeddedRefusal(
    `The embedded Postgres in ${folder} did not start.${log}`,
    `Fix what the log reports, or choose another folder, or ${useOwnServer}.`,
  )
}
