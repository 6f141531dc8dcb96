/** How a provider is asked: only at hosts it was declared with, for a few seconds, for so many bytes, without redirects. */

import { isLoopback } from '../core/loopback.js'
import type { ProviderConfig } from './provider.js'
import { directoryPlace } from './provider.js'

/** Bytes of an answer. Documents of real providers are a tenth of it. */
const mostBytes = 256 * 1024
/** Milliseconds for an answer, its last byte included. */
const patienceMs = 5000
/** Keys in a set that are looked through for one that fits. */
const mostKeys = 100

/** The provider could not be asked, or answered what is not an answer. Not the user's fault. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable'

  constructor(message: string, options?: ErrorOptions) {
    super(visible(message), options)
  }
}

/** A provider's words in a log or a terminal: nothing there is obeyed, hidden or turned around. */
export const visible = (text: string) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')

export type BoundedFetch = (url: string, init: RequestInit) => Promise<Response>

export function isAllowed({ issuer, hosts, kind }: ProviderConfig, url: string): boolean {
  if (!URL.canParse(url)) return false
  const home = new URL(issuer.replace(directoryPlace, 'common'))
  const to = new URL(url)
  const secure = to.protocol === 'https:' || (home.protocol === 'http:' && isLoopback(to.hostname))
  const apis = kind === 'github' && home.host === 'github.com' ? ['api.github.com'] : []
  return secure && !to.username && !to.password && [home.host, ...hosts, ...apis].includes(to.host)
}

/** The whole answer is read here, so that nobody waits for, or keeps, more than it may be. */
export function boundedFetch(provider: ProviderConfig, patience: number = patienceMs): BoundedFetch {
  return async (url, init) => {
    if (!isAllowed(provider, url))
      throw new ProviderUnavailable(
        `${hostOf(url)} is neither the issuer's host nor one of the configured hosts`,
      )
    const { response, body } = await inTime(url, init, patience)
    if (response.status >= 500 || response.status === 429)
      throw new ProviderUnavailable(`${hostOf(url)} answered ${response.status}`)
    refuseHugeKeySet(body)
    const { status, headers } = response
    return new Response([204, 205, 304].includes(status) ? null : new Uint8Array(body), {
      status,
      headers,
    })
  }
}

/**
 * Node's fetch may settle never where the other side closes the connection at once, and a signal's own time-out keeps
 * no process alive: the timer here does both.
 */
async function inTime(url: string, init: RequestInit, patience: number) {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new ProviderUnavailable(`${hostOf(url)} did not answer within ${patience / 1000} s`))
      abort.abort()
    }, patience)
  })
  const asked = fetch(url, { ...init, redirect: 'manual', signal: abort.signal }).then(async response => ({
    response,
    body: await readBounded(response),
  }))
  try {
    return await Promise.race([asked, late])
  } catch (error) {
    asked.catch(() => {})
    if (error instanceof ProviderUnavailable) throw error
    throw new ProviderUnavailable(`${hostOf(url)} could not be reached`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function readBounded(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (!response.body) return Buffer.alloc(0)
  for await (const chunk of response.body) {
    size += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (size > mostBytes) throw new ProviderUnavailable(`an answer is larger than ${mostBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Each key would be tried against what one signature names. */
function refuseHugeKeySet(body: Buffer): void {
  if (!body.includes('"keys"')) return
  let document: unknown
  try {
    document = JSON.parse(body.toString())
  } catch {
    return
  }
  const keys = (document as { keys?: unknown } | null)?.keys
  if (Array.isArray(keys) && keys.length > mostKeys)
    throw new ProviderUnavailable(`a key set has more than ${mostKeys} keys`)
}

const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).host : 'an invalid address')
