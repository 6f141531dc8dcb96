/** The registered origins in memory: who may ask at all. What an application may *have* is read with the session. */
import type { ApplicationStore, OriginOwner } from './applications.js'

/** Milliseconds between two reads that unknown origins can cause, however many come. */
const cooldownMs = 1000

export type OriginRegistry = Awaited<ReturnType<typeof openOriginRegistry>>

/** `uptimeMs` is a monotonic clock; it spaces the reads, nothing else. */
export async function openOriginRegistry(store: ApplicationStore, uptimeMs = () => performance.now()) {
  let owners = await store.origins()
  let readAt = uptimeMs()

  async function refresh(): Promise<void> {
    readAt = uptimeMs()
    owners = await store.origins()
  }

  return {
    /** An origin registered a moment ago is found at once; one that is unknown costs a read a second at most. */
    async ownerOf(origin: string): Promise<OriginOwner | undefined> {
      const owner = owners.get(origin)
      if (owner || uptimeMs() - readAt < cooldownMs) return owner
      await refresh()
      return owners.get(origin)
    },

    /** What was removed elsewhere is forgotten here; on failure the last list stays. */
    refresh,
  }
}
