/** How the hostile provider hears requests and lets answers go: at once, slowly, in half, or never. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Answer } from './hostile-lies.js'

export interface Heard {
  readonly method: string
  readonly path: string
  /** Of the query and of a form. */
  readonly parameters: Readonly<Record<string, string>>
  /** As they came, repetitions included. */
  readonly all: URLSearchParams
  readonly headers: Readonly<Record<string, string>>
}

async function hear(request: IncomingMessage): Promise<Heard> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const url = new URL(request.url ?? '/', 'http://provider')
  const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  const all = new URLSearchParams([
    ...url.searchParams,
    ...new URLSearchParams(form ? Buffer.concat(chunks).toString() : ''),
  ])
  return {
    method: request.method ?? '',
    path: url.pathname,
    parameters: Object.fromEntries(all),
    all,
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
  }
}

const asBytes = (value: unknown) =>
  Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

function send(reply: ServerResponse, { status, headers, body, pace }: Answer): void {
  if (pace === 'hang') return
  if (pace === 'reset') return void reply.socket?.resetAndDestroy()
  if (typeof pace === 'object') {
    const timer = setTimeout(() => send(reply, { status, headers, body }), pace.lateMilliseconds)
    return void reply.once('close', () => clearTimeout(timer))
  }
  const bytes = asBytes(body)
  reply.writeHead(status, { 'content-length': bytes.length, ...headers })
  if (pace === undefined) return void reply.end(bytes)
  if (pace === 'cut') {
    return void reply.write(bytes.subarray(0, bytes.length / 2), () => reply.socket?.destroy())
  }
  let sent = 0
  const timer = setInterval(() => {
    reply.write(bytes.subarray(sent, ++sent))
    if (sent === bytes.length) reply.end()
  }, 1_000)
  reply.flushHeaders()
  reply.once('close', () => clearInterval(timer))
}

export interface Wire {
  readonly url: string
  close(): Promise<void>
}

/** On loopback, at a free port. Closing does not wait for those who are kept waiting. */
export async function listen(answer: (heard: Heard) => Promise<Answer>): Promise<Wire> {
  const server = createServer(async (request, reply) => {
    // A client that breaks off is what some tests are about.
    reply.on('error', () => {})
    try {
      send(reply, await answer(await hear(request)))
    } catch (error) {
      // A lie that throws is a mistake of the test: it is said, not taken for a hostile answer.
      process.stderr.write(`hostile provider: ${(error as Error).stack}\n`)
      if (!reply.headersSent) reply.writeHead(500).end()
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
