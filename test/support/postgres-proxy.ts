/** Stands in front of the real Postgres on a Unix socket of its own, and can stop, freeze or cut what passes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { TestDatabase } from './database.js'

/** As a simple query (Postgres, "Message Formats"): type, length, text. */
const commit = Buffer.from('Q\0\0\0\x0bcommit\0')

type Address = TestDatabase['address']

export interface PostgresProxy {
  readonly address: Address
  /** Connections close and new ones are refused, as when the server is stopped. */
  stop(): Promise<void>
  /** Connections stay open and are taken, but nothing passes, as when the server hangs. */
  freeze(): void
  /** As before: what was held back passes on. */
  resume(): Promise<void>
  /** The answer to the next COMMIT is held back, and its connection cut instead. */
  cutNextCommit(): void
  /** The texts of the statements that have been sent so far, without their parameters. */
  readonly statements: readonly string[]
}

/** Reads what one client sends (Postgres, "Message Formats"), and tells the text of each Query and Parse. */
function statementReader(told: (text: string) => void) {
  let rest = Buffer.alloc(0)
  let started = false
  return (data: Buffer) => {
    rest = Buffer.concat([rest, data])
    for (;;) {
      // The first message has no type.
      const type = started ? 1 : 0
      if (rest.length < type + 4) return
      const length = type + rest.readInt32BE(type)
      if (rest.length < length) return
      const body = rest.subarray(type + 4, length)
      const kind = started ? String.fromCharCode(rest[0] ?? 0) : ''
      const fields = () => body.toString().split('\0')
      if (kind === 'Q') told(fields()[0] ?? '')
      if (kind === 'P') told(fields()[1] ?? '')
      started = true
      rest = rest.subarray(length)
    }
  }
}

export async function postgresProxy(t: Test, behind: Address): Promise<PostgresProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'mp-'))
  const path = join(folder, `.s.PGSQL.${behind.port}`)
  const target = join(behind.host, `.s.PGSQL.${behind.port}`)
  const open = new Set<{ front: Socket; back: Socket }>()
  let frozen = false
  let cutting = false
  let server: Server | undefined
  const statements: string[] = []

  const listen = () =>
    new Promise<void>(resolve => {
      server = createServer({ pauseOnConnect: true }, front => {
        const back = createConnection(target)
        const pair = { front, back }
        open.add(pair)
        const end = () => {
          open.delete(pair)
          front.destroy()
          back.destroy()
        }
        for (const socket of [front, back]) socket.on('error', end).on('close', end)
        let cut = false
        const read = statementReader(text => statements.push(text))
        front.on('data', data => {
          cut ||= cutting && data.includes(commit)
          if (cut) cutting = false
          read(data)
          back.write(data)
        })
        back.on('data', data => (cut ? end() : front.write(data)))
        if (frozen) back.pause()
        else front.resume()
      }).listen(path, resolve)
    })

  const stop = async () => {
    for (const { front, back } of open) {
      front.destroy()
      back.destroy()
    }
    await new Promise(resolve => (server ? server.close(resolve) : resolve(undefined)))
    server = undefined
  }

  await listen()
  t.teardown(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    address: { ...behind, host: folder },
    statements,
    stop,
    freeze() {
      frozen = true
      for (const { front, back } of open) {
        front.pause()
        back.pause()
      }
    },
    async resume() {
      frozen = false
      for (const { front, back } of open) {
        front.resume()
        back.resume()
      }
      if (!server) await listen()
    },
    cutNextCommit() {
      cutting = true
    },
  }
}
