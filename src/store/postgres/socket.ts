/** The socket under a client of Postgres: what comes in is checked message by message before the driver sees it. */
import { Socket } from 'node:net'
import postgres from 'postgres'
import { tlsOf } from './database-address.js'
import { PostgresMessages } from './wire.js'

export type Sql = postgres.Sql

/** Where Postgres is: a URL, or the socket of the embedded default. */
export type Address =
  | { readonly url: string }
  | {
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
    }

type Options = postgres.Options<Record<string, postgres.PostgresType>>

/**
 * What the address says of TLS is decided here: the driver takes any word for it. Through TLS the driver makes its own
 * socket, and nobody on the way can say anything. A client that has ended leaves no connection behind that was still
 * being made.
 */
export function open(address: Address, options: Options): Sql {
  const ssl = 'url' in address && tlsOf(address.url)
  const driver = (more: object): Sql =>
    'url' in address
      ? postgres(address.url, { ...options, ssl, ...more })
      : postgres({ ...address, ...options, ssl, ...more })
  if (ssl) return driver({})
  const sockets = new Set<Socket>()
  let attempt = 0
  const socket = ({ host, port, path }: { host: string[]; port: number[]; path: string | false }) => {
    const made = checked(new Socket())
    sockets.add(made)
    made.once('close', () => sockets.delete(made))
    const next = attempt++ % host.length
    if (path) made.connect(path)
    else made.connect(port[next] as number, host[next] as string)
    return made
  }
  const guarded = driver({ socket })
  const end = guarded.end.bind(guarded)
  guarded.end = async limit => {
    await end(limit)
    for (const left of sockets) left.destroy()
  }
  return guarded
}

/** Gives anybody who listens for data whole messages alone, and ends at what is not one. */
function checked(socket: Socket): Socket {
  const on = socket.on.bind(socket)
  // Before the driver listens itself.
  on('error', () => {})
  socket.on = (event: string, listener: (...all: never[]) => void) => {
    if (event !== 'data') return on(event, listener as never)
    const messages = new PostgresMessages()
    const hear = (chunk: Buffer) => {
      if (socket.destroyed) return
      try {
        const complete = messages.complete(chunk)
        if (complete) (listener as (data: Buffer) => void)(complete)
      } catch (error) {
        socket.destroy(error as Error)
      }
    }
    // So that it can be removed by the name of what it was given.
    return on(event, Object.assign(hear, { listener }))
  }
  return socket
}
