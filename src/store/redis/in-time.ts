/** An answer of Redis within a bound: a server that hangs costs its caller that long and no longer. */

/**
 * Rejects when there is no answer in time. Under load it may be this event loop that is late, and it fires timers before
 * it reads: what is stored in the socket by then still counts, or a flood would loosen the limits that it meets.
 */
export async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(new Error('Redis does not answer'))), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
