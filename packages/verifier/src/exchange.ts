/** Owns every request that this package sends: bounded in time and size, never redirected, https outside loopback. */
import type { Clock } from './clock.js'

/** The part of the platform's `fetch` that is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type ExchangeFault = 'insecure' | 'timeout' | 'network' | 'status' | 'too_large'

export interface Answer {
  readonly bytes: Uint8Array
  /** Milliseconds since 1970, by our own clock: when this answer was made, which in front of a cache is long ago. */
  readonly madeAt: number
  readonly headers: Headers
}

export interface Means {
  readonly fetch: Fetch
  readonly clock: Clock
}

export interface Wanted {
  readonly url: URL
  readonly accept: string
  readonly mostBytes: number
  /** Sent as a form, with this as the Bearer credential; without it the request is a GET. */
  readonly form?: { readonly fields: Record<string, string>; readonly bearer: string }
}

/** From the first byte sent to the last one read: an answer that drips does not last longer. */
export const deadlineMilliseconds = 5_000
/** Two clocks may differ by this much before a `Date` says that an answer is old. */
const skewMilliseconds = 60_000

export async function exchange(
  wanted: Wanted,
  { fetch, clock }: Means,
): Promise<Answer | { readonly failed: ExchangeFault; readonly status?: number }> {
  if (!isSecure(wanted.url)) return { failed: 'insecure' }
  const controller = new AbortController()
  let cancel = () => {}
  const deadline = new Promise<{ failed: 'timeout' }>(resolve => {
    cancel = clock.after(deadlineMilliseconds, () => {
      resolve({ failed: 'timeout' })
      controller.abort()
    })
  })
  const work = async () => {
    try {
      const response = await fetch(wanted.url.href, request(wanted, controller.signal))
      if (response.status !== 200) return { failed: 'status', status: response.status } as const
      const bytes = await bounded(response, wanted.mostBytes)
      return bytes
        ? { bytes, madeAt: madeAt(response.headers, clock.now()), headers: response.headers }
        : ({ failed: 'too_large' } as const)
    } catch {
      return { failed: 'network' } as const
    }
  }
  try {
    return await Promise.race([work(), deadline])
  } finally {
    cancel()
    // What was not read is not wanted any more: a refusal, or the rest of 5 MB.
    controller.abort()
  }
}

/** Plain http is for development, where nothing leaves the machine. */
export function isSecure({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
  )
}

function request({ accept, form }: Wanted, signal: AbortSignal): RequestInit {
  // `error` is not known everywhere; a redirection that is not followed is a status like any other.
  const how = { signal, redirect: 'manual' } as const
  if (!form) return { ...how, headers: { accept, 'cache-control': 'no-cache' } }
  const headers = {
    accept,
    authorization: `Bearer ${form.bearer}`,
    'content-type': 'application/x-www-form-urlencoded',
  }
  return { ...how, method: 'POST', headers, body: new URLSearchParams(form.fields).toString() }
}

async function bounded(response: Response, most: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    length += part.value.length
    if (length > most) return undefined
    chunks.push(part.value)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** RFC 9111, section 4.2.3: caches say `Age`, and keep the origin's `Date`. */
function madeAt(headers: Headers, now: number): number {
  const age = Number(headers.get('age') ?? 0) * 1000
  const date = Date.parse(headers.get('date') ?? '')
  const apparent = Number.isNaN(date) ? 0 : now - date - skewMilliseconds
  return Math.floor(now - Math.max(Number.isFinite(age) ? age : 0, apparent, 0))
}
