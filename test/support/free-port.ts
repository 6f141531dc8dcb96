/** Ports for servers that tests stop and start again: never one that an outgoing connection may be given meanwhile. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Linux gives 32768 and above to outgoing connections, other systems 49152 and above; browsers refuse some below 12 000. */
const [lowest, highest] = [12_000, 22_000]

/** The bus of a Redis Cluster's node is at the node's port and this. */
export const busAbove = 10_000

/** Two servers of one file that were given the same port would meet before either listens. */
const given = new Set<number>()

/** A port that was free a moment ago, with its bus; never twice the same in one process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, highest)
    if (given.has(port) || !(await isFree(port)) || !(await isFree(port + busAbove))) continue
    given.add(port)
    return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const listening = await new Promise<boolean>(resolve => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
  })
  if (listening) await new Promise(resolve => server.close(resolve))
  return listening
}
