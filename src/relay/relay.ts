/** A relay of the feed: it follows an issuer, or another relay, and serves the messages byte for byte. It holds no key. */
import { randomInt } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { parseCursor } from '../feed/cursor.js'
import { longestMessage } from '../feed/evidence.js'
import { Chain, readLink } from './chain.js'

export interface RelayParts {
  /** Of the issuer or the relay above: an origin. */
  readonly upstream: string
  /** Sent upstream; readers of the relay need none. */
  readonly serviceKey: string | undefined
  readonly mostReaders: number
  /** That it lost the feed, and why; and `undefined` when it has it again. */
  readonly failing: (problem: string | undefined) => void
}

export interface Relay {
  readonly server: Server
  close(): void
}

interface Reader {
  readonly since: number
  readonly after: string
  readonly response: ServerResponse
}

/** Milliseconds. */
const givenUpMs = 8000
const mostPauseMs = 10_000
/** So long a reader waits for a relay that has lost the feed. */
const mostWaitingMs = 4000
/** Then the chain is begun anew: what is older than the window is in no token any more. */
const longestChain = 400
const oldestChainMs = 300_000
const mostBytes = 4_000_000

export function createRelay({ upstream, serviceKey, mostReaders, failing }: RelayParts): Relay {
  const readers = new Set<Reader>()
  const closed = new AbortController()
  const headers = serviceKey === undefined ? {} : { authorization: `Bearer ${serviceKey}` }
  let chain = new Chain()
  let next = new Chain()
  let begunAt = performance.now()
  let lastAt: number | undefined
  let failures = 0

  async function follow(): Promise<void> {
    while (!closed.signal.aborted) {
      const problem = await step().catch(error => String((error as Error).message))
      if (closed.signal.aborted) return
      if (problem === undefined) {
        if (failures > 0) failing(undefined)
        failures = 0
        continue
      }
      if (failures++ === 0) failing(problem)
      refuseLate()
      await pause(randomInt(Math.min(mostPauseMs, 1000 * 2 ** failures)), undefined, {
        signal: closed.signal,
      }).catch(() => {})
    }
  }

  /** One question upstream. A chain that is begun anew is served once it is complete. */
  async function step(): Promise<string | undefined> {
    if (chain === next && (chain.length > longestChain || performance.now() - begunAt > oldestChainMs)) {
      next = new Chain()
      begunAt = performance.now()
    }
    const wait = chain === next && chain.isComplete ? 3 : 0
    const answer = await fetch(`${upstream}/v1/feed?after=${next.cursor}&wait=${wait}`, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.any([closed.signal, AbortSignal.timeout(givenUpMs)]),
    })
    if (answer.status === 409) {
      chain = next = new Chain()
      for (const reader of readers) deny(reader, 409, 'feed_forked')
      return undefined
    }
    if (answer.status !== 200) return `the answer was ${answer.status}`
    const text = await answer.text()
    if (text.length > mostBytes) return 'the answer was too long'
    for (const line of text.split('\n').filter(Boolean)) {
      const link = readLink(line)
      if (!link) return 'the answer was no message of a feed'
      if (!next.add(link)) {
        next = new Chain()
        begunAt = performance.now()
        return undefined
      }
    }
    if (!next.isComplete) return undefined
    chain = next
    lastAt = performance.now()
    answerReaders()
    return undefined
  }

  /** Only with what came after they had asked: the time at which they did bounds the age of the answer. */
  function answerReaders(): void {
    const texts = new Map<string, string | 'forked'>()
    for (const reader of readers) {
      let text = texts.get(reader.after)
      if (text === undefined) {
        const lines = chain.after(parseCursor(reader.after))
        text = lines === 'forked' ? lines : `${lines.join('\n')}\n`
        texts.set(reader.after, text)
      }
      if (text === 'forked') deny(reader, 409, 'feed_forked')
      else send(reader, 200, 'text/plain; charset=utf-8', text)
    }
  }

  function refuseLate(): void {
    const before = performance.now() - mostWaitingMs
    for (const reader of readers) if (reader.since < before) deny(reader, 503, 'unavailable')
  }

  function deny(reader: Reader, status: number, code: string): void {
    if (status === 503) reader.response.setHeader('retry-after', '1')
    send(reader, status, 'application/problem+json', JSON.stringify({ status, code }))
  }

  function send(reader: Reader, status: number, type: string, body: string): void {
    readers.delete(reader)
    const length = Buffer.byteLength(body)
    reader.response.writeHead(status, { 'content-type': type, 'content-length': length }).end(body)
  }

  function hear(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://relay')
    response.setHeader('cache-control', 'no-store')
    const reader = { since: performance.now(), after: searchParams.get('after') ?? '', response }
    if (pathname === '/healthz') {
      const isFresh = lastAt !== undefined && performance.now() - lastAt < 15_000
      send(
        reader,
        isFresh ? 200 : 503,
        'application/json',
        JSON.stringify({ status: isFresh ? 'ok' : 'stale' }),
      )
    } else if (pathname === '/v1/feed/fork' && request.method === 'POST') {
      void forward(request, reader)
    } else if (pathname !== '/v1/feed' || request.method !== 'GET') {
      deny(reader, 404, 'not_found')
    } else if (reader.after !== '' && !parseCursor(reader.after)) {
      deny(reader, 400, 'invalid_request')
    } else if (readers.size >= mostReaders) {
      deny(reader, 503, 'busy')
    } else {
      readers.add(reader)
      response.on('close', () => readers.delete(reader))
    }
  }

  async function forward(request: IncomingMessage, reader: Reader): Promise<void> {
    let body = ''
    for await (const chunk of request) {
      body += chunk
      if (body.length > longestMessage + 100) return deny(reader, 413, 'body_too_large')
    }
    const answer = await fetch(`${upstream}/v1/feed/fork`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(givenUpMs),
    }).catch(() => undefined)
    if (answer?.status === 204) reader.response.writeHead(204).end()
    else deny(reader, answer && answer.status < 500 ? answer.status : 503, 'unavailable')
  }

  void follow()
  const server = createServer(hear)
  return {
    server,
    close() {
      closed.abort()
      for (const reader of readers) deny(reader, 503, 'unavailable')
      server.close()
      server.closeIdleConnections()
    },
  }
}
