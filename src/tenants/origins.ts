/** The registered origins in memory: who may ask at all. What an application may *have* is read with the session. */
import type { ApplicationStore, OriginOwner } from './applications.js'

/** Milliseconds between two reads that unknown origins can cause, however many come. */
const cooldownMs = 1000

export type OriginRegistry = Awaited<ReturnType<typeof openOriginRegistry>>

/** `uptimeMs` is a monotonic clock; it spaces the reads, nothing else. */
export async function openOriginRegistry(
  store: Pick<ApplicationStore, 'origins'>,
  uptimeMs = () => performance.now(),
) {
  let owners = await store.origins()
  let reads = 0
  let applied = 0
  let pending: { readonly startedAt: number; readonly done: Promise<void> } = {
    startedAt: uptimeMs(),
    done: Promise.resolve(),
  }

  /** What was removed elsewhere is forgotten here; on failure the last list stays. */
  function refresh(): Promise<void> {
    const read = ++reads
    const done = store.origins().then(list => {
      if (read < applied) return // a later read has overtaken this one
      applied = read
      owners = list
    })
    pending = { startedAt: uptimeMs(), done: done.catch(() => {}) }
    return done
  }

  return {
    /** An origin registered a moment ago is found at once; unknown ones cost a read a second at most, together. */
    async ownerOf(origin: string): Promise<OriginOwner | undefined> {
      const owner = owners.get(origin)
      if (owner) return owner
      if (uptimeMs() - pending.startedAt >= cooldownMs) await refresh()
      else await pending.done
      return owners.get(origin)
    },

    refresh,
  }
}
