/** A request in two parts: its head, judged by one instance, and its body, sent when something has happened elsewhere. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type postgres from 'postgres'
import { answersIn } from '../red/socket.js'
import { eventually, issuer, type TestService } from '../support/service.js'

export interface Late {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface LateAnswer {
  readonly status: number
  readonly code: string | undefined
  readonly location: string | undefined
}

/** A request whose head was judged, and whose body is awaited. */
export interface Begun {
  /** Sends the body. */
  finish(): Promise<LateAnswer>
}

/** Resolves when everything that judges a head has judged this one. */
export async function begin(
  { app, addresses }: TestService,
  { method, path, headers, body }: Late,
): Promise<Begun> {
  const { hostname, port } = new URL(addresses.main)
  const arrived = once(app.server, 'request') as Promise<[IncomingMessage]>
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('latin1').on('data', text => {
    received += text
  })
  const closed = once(socket, 'close')
  const lines = {
    host: new URL(issuer).host,
    connection: 'close',
    'transfer-encoding': 'chunked',
    ...headers,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`)
  const [request] = await arrived
  await eventually(() => {
    if (received !== '') throw new Error(`it was answered before its body came: ${received.slice(0, 300)}`)
    return request.listenerCount('data') > 0 || undefined
  }, 30)
  return {
    async finish() {
      const length = Buffer.byteLength(body)
      socket.write(`${length > 0 ? `${length.toString(16)}\r\n${body}\r\n` : ''}0\r\n\r\n`)
      await closed
      const [answer] = answersIn(received)
      if (!answer) throw new Error(`no answer: ${received.slice(0, 200)}`)
      const location = /^location: (\S+)/im.exec(answer.head)?.[1]
      const code = /^\{/.test(answer.body) ? JSON.parse(answer.body).code : undefined
      return { status: answer.status, code, location }
    },
  }
}

/**
 * What stands in every table, but for what a refused request may leave: a refusal in the audit log, and last use. A
 * line for each table, so that a difference names it.
 */
export async function contents(sql: postgres.Sql): Promise<string[]> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`
  const parts = tables.map(({ name }) => {
    const rows = `(select to_jsonb(r) - 'last_used_at' as r from "${name}" r
      ${name === 'audit_events' ? "where outcome = 'done'" : ''}) r`
    return `select '${name} ' || md5(coalesce(string_agg(r::text, '|' order by r::text), '')) as sum from ${rows}`
  })
  const sums = await sql.unsafe<{ sum: string }[]>(parts.join(' union all '))
  return sums.map(({ sum }) => sum).sort()
}
