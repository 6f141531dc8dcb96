/** Owns the requests for the feed: bounded in size, never redirected, and in Node no reason for a process to stay. */
import type { Fetch } from './exchange.js'
import { longestAnswer } from './feed-message.js'

export interface FeedRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** With it the request is a POST. */
  readonly body?: string
}

export interface FeedAnswer {
  readonly status: number
  /** Undefined: longer than any answer may be. */
  readonly text: string | undefined
  readonly retryAfter: string | undefined
}

export interface Sender {
  /** Rejects where there is no whole answer. */
  readonly send: (request: FeedRequest, signal: AbortSignal) => Promise<FeedAnswer>
  readonly close: () => void
}

/** Sends by what the caller has given, by node:http where that is, else by the platform's fetch. */
export function openSender(fetch: Fetch | undefined): Sender {
  const modules = fetch ? undefined : nodeModules()
  return modules ? byNode(modules) : byFetch(fetch ?? ((url, init) => globalThis.fetch(url, init)))
}

/** Other platforms have copies of these modules, which need not let a process end. */
function nodeModules() {
  const platform = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? 'Node.js'
  if (typeof process === 'undefined' || !platform.startsWith('Node.js')) return undefined
  const http = process.getBuiltinModule?.('node:http')
  const https = process.getBuiltinModule?.('node:https')
  return http && https && { http, https }
}

function byNode({ http, https }: NonNullable<ReturnType<typeof nodeModules>>): Sender {
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true }),
  }
  return {
    close: () => Object.values(agents).map(agent => agent.destroy()),
    send: ({ url, headers, body }, signal) =>
      new Promise((resolve, reject) => {
        const { request } = url.protocol === 'https:' ? https : http
        const method = body === undefined ? 'GET' : 'POST'
        const agent = agents[url.protocol as keyof typeof agents]
        const outgoing = request(url, { method, headers, agent, signal }, incoming => {
          const { statusCode: status = 0 } = incoming
          const retryAfter = incoming.headers['retry-after']
          const chunks: Buffer[] = []
          let length = 0
          incoming.on('data', (chunk: Buffer) => {
            length += chunk.length
            chunks.push(chunk)
            if (length <= longestAnswer) return
            resolve({ status, retryAfter, text: undefined })
            outgoing.destroy()
          })
          incoming.on('end', () =>
            resolve({ status, retryAfter, text: Buffer.concat(chunks).toString('utf8') }),
          )
          // Cut off before its end: what came is no answer.
          incoming.on('close', () => reject(new Error('the answer ended early')))
          incoming.on('error', reject)
        })
        outgoing.on('socket', socket => socket.unref())
        outgoing.on('error', reject)
        outgoing.end(body)
      }),
  }
}

function byFetch(fetch: Fetch): Sender {
  return {
    close: () => {},
    async send({ url, headers, body }, signal) {
      const how = body === undefined ? {} : { method: 'POST', body }
      const response = await fetch(url.href, { ...how, headers, signal, redirect: 'manual' })
      return {
        status: response.status,
        retryAfter: response.headers.get('retry-after') ?? undefined,
        text: await boundedText(response),
      }
    },
  }
}

async function boundedText(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    length += part.value.length
    if (length > longestAnswer) {
      await reader?.cancel()
      return undefined
    }
    text += decoder.decode(part.value, { stream: true })
  }
  return text + decoder.decode()
}
