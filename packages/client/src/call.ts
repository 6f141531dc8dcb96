/** One call to the service: an outage is waited out, and is never taken for a sign-out. */
import { MintmarkError } from './errors.js'

/** Milliseconds in which an answer must come, and after which a call gives up. */
const timeoutMs = 10_000
export const patienceMs = 30_000

/** Another tab is renewing the cookie: for this long the call is repeated with the one that is there by then. */
const renewalMs = 2000
const renewalPauseMs = 100

export type Call = <T>(method: string, path: string, body?: object) => Promise<T>

type Answer = { readonly value: unknown } | { readonly code: string; readonly retryAfterMs: number }

export function createCall(issuer: string): Call {
  return async function call<T>(method: string, path: string, body?: object) {
    const began = performance.now()
    let supersededAt: number | undefined
    for (let failures = 0; ; ) {
      const answer = await ask(issuer + path, method, body)
      if ('value' in answer) return answer.value as T
      const { code, retryAfterMs } = answer
      const now = performance.now()
      if (code === 'session_superseded') {
        supersededAt ??= now
        if (now - supersededAt >= renewalMs) throw new MintmarkError('signed_out')
        await pause(renewalPauseMs)
      } else if (code === 'unavailable') {
        const delay = Math.max(retryAfterMs, backOff(failures++))
        if (now + delay - began > patienceMs) throw new MintmarkError(code)
        await pause(delay)
      } else {
        throw new MintmarkError(code === 'unauthenticated' ? 'signed_out' : code)
      }
    }
  }
}

/** Only a problem document of the service's own says no; whatever else comes instead of an answer is an outage. */
async function ask(url: string, method: string, body: object | undefined): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method,
      credentials: 'include',
      cache: 'no-store',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'X-Mintmark': '1', ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (response.status === 204) return { value: undefined }
    const retryAfterMs = Number(response.headers.get('retry-after')) * 1000 || 0
    if (response.status === 429 || response.status >= 500) return { code: 'unavailable', retryAfterMs }
    const value = await response.json()
    return response.ok ? { value } : { code: value.code ?? 'unavailable', retryAfterMs }
  } catch {
    return { code: 'unavailable', retryAfterMs: 0 }
  }
}

/** From 0.3 s, doubled up to 10 s; a random half of it, so that not everybody comes back at once. */
function backOff(failures: number): number {
  const most = Math.min(300 * 2 ** failures, 10_000)
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1))
  return (most / 2) * (1 + random / 2 ** 32)
}

/** Ends early when the browser says that it is online again. */
function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener('online', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    addEventListener('online', done)
  })
}
