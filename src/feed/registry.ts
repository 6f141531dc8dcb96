/** The verifiers that ask this instance: kept in memory, and written when one comes, every 30 s, and while anybody waits. */
import type { ServiceKeyId } from '../core/principal.js'
import type { FeedPosition, RegistryReading, Sighting, Verifier, VerifierStore } from './verifiers.js'

/** Of one instance. More are served, and are not in receipts. */
const mostVerifiers = 10_000
/** Milliseconds. */
const everyMs = 30_000
const whileWaitedMs = 1000
const firstWhileWaitedMs = 300
const firstSightMs = 50
/** While anybody waits, a sighting is no older than this: silence is counted from it. */
const freshWhileWaitedMs = 10_000
/** One that asks elsewhere, or no more, is not kept here. */
const keptMs = 60_000

export interface RegistryParts {
  readonly store: Pick<VerifierStore, 'write'>
  /** That it could not be written, once until it works again; and `undefined` then. */
  readonly failing: (error: Error | undefined) => void
}

export type Registry = ReturnType<typeof createRegistry>

interface Entry {
  readonly key: ServiceKeyId
  readonly v: string
  jwks: string | undefined
  applied: FeedPosition | undefined
  seenAt: number
  leftAt: number | undefined
  /** Of the last write: when it had been seen. */
  writtenSeenAt: number
  moved: boolean
}

export function createRegistry({ store, failing }: RegistryParts) {
  const entries = new Map<string, Entry>()
  let waitedUntil = 0
  let wroteAt = performance.now()
  let writing: Promise<void> | undefined
  let soon: NodeJS.Timeout | undefined
  let failed = false

  const timer = setInterval(() => {
    const now = performance.now()
    if (now < waitedUntil) return void write(freshWhileWaitedMs)
    if (!failed && now - wroteAt < everyMs) return
    wroteAt = now
    void write(0)
  }, whileWaitedMs).unref()

  /** What has moved, and what was seen again since a write that is this old. */
  async function write(olderMs: number): Promise<void> {
    // What has moved since that write began is not in it.
    if (writing) return writeSoon(firstSightMs)
    const now = performance.now()
    const due: Entry[] = []
    for (const [name, entry] of entries) {
      const { moved, seenAt, writtenSeenAt } = entry
      if (moved || (seenAt > writtenSeenAt && now - writtenSeenAt >= olderMs)) due.push(entry)
      else if (seenAt <= writtenSeenAt && now - seenAt > keptMs) entries.delete(name)
    }
    if (due.length === 0) return
    writing = writeThese(due, now)
    await writing
    writing = undefined
  }

  async function writeThese(due: readonly Entry[], now: number): Promise<void> {
    const seen = due.map(({ seenAt }) => seenAt)
    for (const entry of due) entry.moved = false
    try {
      await store.write(due.map(sightingAt(now)))
      for (const [at, entry] of due.entries()) entry.writtenSeenAt = seen[at] ?? 0
      if (failed) failing(undefined)
      failed = false
    } catch (error) {
      for (const entry of due) entry.moved = true
      if (!failed) failing(error as Error)
      failed = true
    }
  }

  function writeSoon(ms: number): void {
    soon ??= setTimeout(() => {
      soon = undefined
      void write(Number.POSITIVE_INFINITY)
    }, ms).unref()
  }

  return {
    /** A request of this verifier has come. From the beginning: it holds nothing. Undefined: there are too many. */
    sees({ key, v, jwks, fromBeginning }: Pick<Sighting, 'key' | 'v' | 'jwks'> & { fromBeginning: boolean }) {
      const name = `${key} ${v}`
      const seenAt = performance.now()
      let entry = entries.get(name)
      if (!entry) {
        if (entries.size >= mostVerifiers) return undefined
        entry = { key, v, jwks, applied: undefined, seenAt, leftAt: undefined, writtenSeenAt: 0, moved: true }
        entries.set(name, entry)
        writeSoon(firstSightMs)
      }
      const mine = entry
      if (mine.leftAt !== undefined || mine.jwks !== jwks || (fromBeginning && mine.applied))
        mine.moved = true
      if (fromBeginning) mine.applied = undefined
      Object.assign(mine, { seenAt, jwks, leftAt: undefined })
      return {
        /** It asks on from a place that this database knows. */
        applied(position: FeedPosition): void {
          const { applied } = mine
          if (applied?.generation === position.generation && applied.position === position.position) return
          mine.applied = position
          mine.moved = true
        },
        /** It hung up before it was answered. */
        left(): void {
          if (mine.seenAt !== seenAt) return
          mine.leftAt = performance.now()
          mine.moved = true
          writeSoon(firstSightMs)
        },
      }
    },

    /** Somebody waits for a receipt, here or elsewhere. */
    waited(): void {
      const now = performance.now()
      if (now >= waitedUntil) writeSoon(firstWhileWaitedMs)
      waitedUntil = now + whileWaitedMs * 1.5
    },

    /** What was read, with what is known here and not written yet. */
    withOwn({ verifiers, ...reading }: RegistryReading): RegistryReading {
      const now = performance.now()
      return {
        ...reading,
        verifiers: verifiers.map(one => {
          const own = entries.get(`${one.key} ${one.v}`)
          return own ? newer(one, sightingAt(now)(own), reading.now) : one
        }),
      }
    },

    async close(): Promise<void> {
      clearInterval(timer)
      clearTimeout(soon)
      await writing
      await write(0)
    },
  }
}

const sightingAt =
  (now: number) =>
  ({ key, v, jwks, applied, seenAt, leftAt }: Entry): Sighting => ({
    ...{ key, v, jwks, applied },
    seenAgo: (now - seenAt) / 1000,
    leftAgo: leftAt === undefined ? undefined : (now - leftAt) / 1000,
  })

function newer(stored: Verifier, own: Sighting, now: number): Verifier {
  const lastSeenAt = now - own.seenAgo
  if (lastSeenAt < stored.lastSeenAt) return stored
  const { jwks = null, applied, leftAgo } = own
  return { ...stored, jwks, applied, lastSeenAt, leftAt: leftAgo === undefined ? null : now - leftAgo }
}
