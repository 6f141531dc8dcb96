/** The tests' Postgres by TCP, as a production server is reached: it listens on a Unix socket alone. */
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { testServer } from './database.js'

/** A port on loopback that leads there until the test ends. */
export async function forwarded(t: Test): Promise<number> {
  const { host, port } = testServer()
  const server = createServer(front => {
    const back = createConnection(join(host, `.s.PGSQL.${port}`))
    front.pipe(back).pipe(front)
    const end = () => {
      front.destroy()
      back.destroy()
    }
    for (const socket of [front, back]) socket.on('error', end).on('close', end)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as { port: number }).port
}
