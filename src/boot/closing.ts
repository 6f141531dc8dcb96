/** An orderly end: whatever was opened last is closed first, and one that fails keeps no other open. */
import type { FastifyInstance } from 'fastify'

/** Answers what failed. Each is waited for. */
export async function closeAll(closers: readonly (() => unknown)[]): Promise<readonly unknown[]> {
  const failures: unknown[] = []
  for (const closer of closers.toReversed()) {
    try {
      await closer()
    } catch (error) {
      failures.push(error)
    }
  }
  return failures
}

/** Waits for what is under way, and not longer. */
export async function closeWithin(app: FastifyInstance, limitMs: number): Promise<void> {
  const limit = setTimeout(() => app.server.closeAllConnections(), limitMs)
  await app.close()
  clearTimeout(limit)
}
