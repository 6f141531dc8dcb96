/** Stands in front of the real Postgres and rewrites what new sessions ask for, as a pooler does that ignores it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { TestDatabase } from './database.js'

type Parameters = Record<string, string>

export interface StartupProxy {
  readonly address: TestDatabase['address']
  /** What new sessions ask for, instead of what they did: undefined takes the parameter out. */
  rewrite: Record<string, string | undefined>
  /** What each session asked for, in its own words. */
  readonly asked: Parameters[]
  /** Everything that was sent on sessions whose parameters were rewritten. */
  sent: string
  /** Every session ends, as when the server restarts; resolves when a client in this process knows it. */
  cut(): Promise<void>
}

export async function startupProxy(t: Test, behind: TestDatabase['address']): Promise<StartupProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'ms-'))
  const name = `.s.PGSQL.${behind.port}`
  const open = new Set<Socket>()
  const proxy: StartupProxy = {
    address: { ...behind, host: folder },
    rewrite: {},
    asked: [],
    sent: '',
    cut: async () => {
      const closed = [...open].map(socket => new Promise(resolve => socket.once('close', resolve)))
      for (const socket of open) socket.destroy()
      await Promise.all(closed)
      // The client is in this event loop: it reads the end, then closes, then tells its owner.
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
    },
  }
  const server = createServer(front => {
    const back = createConnection(join(behind.host, name))
    const end = () => {
      front.destroy()
      back.destroy()
    }
    open.add(front)
    for (const socket of [front, back]) socket.on('error', end).on('close', end)
    front.on('close', () => open.delete(front))
    front.once('data', packet => {
      const parameters = parse(packet)
      proxy.asked.push(parameters)
      const rewritten = Object.keys(proxy.rewrite).length > 0
      back.write(startup({ ...parameters, ...proxy.rewrite }))
      front.on('data', data => {
        if (rewritten) proxy.sent += data.toString('latin1')
        back.write(data)
      })
    })
    back.on('data', data => front.write(data))
  })
  await new Promise<void>(resolve => server.listen(join(folder, name), resolve))
  t.teardown(async () => {
    await proxy.cut()
    await new Promise(resolve => server.close(resolve))
    await rm(folder, { recursive: true, force: true })
  })
  return proxy
}

/** A startup packet (Postgres, "Message Formats"): length, version, names and values, each with a zero behind it. */
function parse(packet: Buffer): Parameters {
  const words = packet.toString('utf8', 8, packet.readUInt32BE(0) - 1).split('\0')
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < words.length; i += 2) pairs.push([words[i] as string, words[i + 1] as string])
  return Object.fromEntries(pairs)
}

function startup(parameters: Record<string, string | undefined>): Buffer {
  const words = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value],
  )
  const body = Buffer.from(`${words.map(word => `${word}\0`).join('')}\0`)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(body.length + 8, 0)
  head.writeUInt32BE(196_608, 4)
  return Buffer.concat([head, body])
}
