/** The browser's side of Mintmark: access tokens for the session cookie, one sign-out for all tabs. */
import { createCall, patienceMs } from './call.js'
import { MintmarkError } from './errors.js'
import { marginMs, openSharing, type Token } from './sharing.js'

export { MintmarkError }

export interface ClientOptions {
  /** Mintmark's origin, like `https://id.example.com`. */
  readonly issuer: string
  /** Of the tokens. Default: the application's first. */
  readonly audience?: string
  /** Work in this tenant. Default: the session's current one. */
  readonly tenant?: string
}

/** What `GET /v1/session` answers; the times are seconds since 1970. */
export interface Session {
  readonly session: {
    readonly id: string
    readonly created_at: number
    /** Null: the user came through a provider whose authentication does not count. */
    readonly auth_time: number | null
    readonly amr: readonly string[]
    readonly acr: string
    readonly ends_at: number
    readonly idle_ends_at: number
  }
  readonly user: { readonly id: string; readonly email: string; readonly name: string | null }
  /** The session's current tenant, with today's roles and permissions in it. */
  readonly tenant: {
    readonly id: string
    readonly name: string
    readonly roles: readonly string[]
    readonly permissions: readonly string[]
  } | null
}

/** Milliseconds in which a rejected token is not replaced, after its replacement was rejected as well. */
const quietMs = 5000

export type Change = 'signed_out' | 'session_changed'

export type Client = ReturnType<typeof createClient>

interface Person {
  readonly sub: string
  readonly sid: string
  readonly tenant: string | null
}

interface Minted extends Person {
  readonly access_token: string
  readonly expires_in: number
}

/** Rejections are `MintmarkError`s. */
export function createClient({ issuer, audience, tenant }: ClientOptions) {
  const call = createCall(issuer)
  const sharing = openSharing(`mintmark ${issuer}`, heardSignedOut)
  const listeners = new Set<(change: Change) => void>()
  /** Whose page this is: from the first answer on, until the page is loaded anew. */
  let pin: Person | undefined
  let token: Token | undefined
  let pending: Promise<Token> | undefined
  /** Raised by whatever ends the user's presence here: an answer to a question from before counts no more. */
  let presence = 0
  let present = false
  /** An API that rejects every token does not make each call mint another. */
  let quietUntil = 0

  async function current(spoilt?: string): Promise<Token> {
    if (token && token.id !== spoilt && leftMs(token) > marginMs(token.lifetimeMs)) return token
    pending ??= renew(spoilt).finally(() => {
      pending = undefined
    })
    return pending
  }

  async function renew(spoilt: string | undefined): Promise<Token> {
    try {
      // Anybody who left may be back, or another may be here: only the service knows.
      if (!present) await lookUp()
      const { sid, tenant: place } = pin as Person
      const key = JSON.stringify([sid, place, audience])
      const asked = presence
      return await sharing.alone(key, AbortSignal.timeout(patienceMs), async () => {
        if (asked !== presence) throw new MintmarkError('signed_out')
        return (await adopt(key, spoilt)) ?? mint()
      })
    } catch (error) {
      const waited = (error as Error).name === 'TimeoutError' ? new MintmarkError('unavailable') : error
      // In its last seconds a token is renewed ahead of time: in an outage it is still good.
      const outage = (waited as MintmarkError).code === 'unavailable'
      if (outage && token && token.id !== spoilt && leftMs(token) > 0) return token
      throw waited
    }
  }

  async function adopt(key: string, spoilt: string | undefined): Promise<Token | undefined> {
    const found = await still(sharing.ask(key, spoilt))
    if (found) await keep(key, found)
    return found
  }

  async function mint(): Promise<Token> {
    const { sub, tenant: place } = pin as Person
    const askedAt = performance.now()
    const request = { audience, tenant, expect: { sub, tenant: place } }
    const minted = await still(call<Minted>('POST', '/v1/token', request))
    pin = { sub, sid: minted.sid, tenant: place }
    const lifetimeMs = minted.expires_in * 1000
    const made = { id: crypto.randomUUID(), value: minted.access_token, lifetimeMs }
    const fresh = { ...made, expiresAt: askedAt + lifetimeMs }
    await keep(JSON.stringify([minted.sid, place, audience]), fresh)
    return fresh
  }

  async function keep(key: string, fresh: Token): Promise<void> {
    const asked = presence
    token = fresh
    await sharing.hold(key, fresh)
    if (asked === presence) return
    sharing.drop()
    throw new MintmarkError('signed_out')
  }

  /** Who is signed in, by the service's word of this moment. */
  async function lookUp(): Promise<Session> {
    const found = await still(call<Session>('GET', '/v1/session'))
    const seen = { sub: found.user.id, sid: found.session.id, tenant: tenant ?? found.tenant?.id ?? null }
    if (pin && (pin.sub !== seen.sub || pin.tenant !== seen.tenant)) {
      leave('session_changed')
      throw new MintmarkError('session_changed')
    }
    pin = seen
    present = true
    return found
  }

  /** An answer counts only if nobody signed out since the question; a refusal is news for the other tabs too. */
  async function still<T>(answer: Promise<T>): Promise<T> {
    const asked = presence
    try {
      const value = await answer
      if (asked !== presence) throw new MintmarkError('signed_out')
      return value
    } catch (error) {
      const { code } = error as MintmarkError
      if (asked === presence && (code === 'signed_out' || code === 'session_changed')) {
        if (code === 'signed_out' && present) sharing.tellSignedOut(pin?.sid)
        leave(code)
      }
      throw error
    }
  }

  function heardSignedOut(sid: string | undefined): void {
    if (sid === undefined || !pin || pin.sid === sid) leave('signed_out')
  }

  function leave(change: Change): void {
    presence++
    token = undefined
    sharing.drop()
    if (!present) return
    present = false
    for (const listener of listeners) listener(change)
  }

  return {
    /** An access token that is good for some seconds at least; minted only when no tab has one. */
    getAccessToken: async (): Promise<string> => (await current()).value,

    /** `fetch` with the access token. Where the answer is 401 `invalid_token`, once more with a new one. */
    async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
      const request = input instanceof Request ? input : undefined
      const signal = init?.signal ?? request?.signal
      const send = (held: Token) => {
        const outgoing = new Request(input, init)
        outgoing.headers.set('Authorization', `Bearer ${held.value}`)
        return fetch(outgoing)
      }
      const held = await unlessAborted(current(), signal)
      // A body that is a stream is gone when it was sent.
      const repeatable = !request?.body && !(init?.body instanceof ReadableStream)
      const answer = await send(held)
      if (!repeatable || !isRejected(answer) || performance.now() < quietUntil) return answer
      void answer.body?.cancel()
      const second = await send(await unlessAborted(current(held.id), signal))
      if (isRejected(second)) quietUntil = performance.now() + quietMs
      return second
    },

    /** Who is signed in, and their rights today; null when nobody is. Asks the service every time. */
    async session(): Promise<Session | null> {
      return lookUp().catch(error => {
        if (error.code === 'signed_out') return null
        throw error
      })
    },

    /** Leaves this page for Mintmark's sign-in page, which comes back to `returnTo`: an address registered there. */
    signIn({ returnTo = `${location.origin}/` } = {}): void {
      location.assign(`${issuer}/sign-in?return_to=${encodeURIComponent(returnTo)}`)
    },

    /** Ends the session, here and in every tab. */
    async signOut(): Promise<void> {
      await call('DELETE', '/v1/session')
      sharing.tellSignedOut(pin?.sid)
      leave('signed_out')
    },

    /** Calls back when the user is gone: signed out, here or elsewhere, or somebody else in their place. */
    onChange(listener: (change: Change) => void): () => void {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

function isRejected({ status, headers }: Response): boolean {
  return status === 401 && !!headers.get('www-authenticate')?.includes('invalid_token')
}

function leftMs({ expiresAt }: Token): number {
  return expiresAt - performance.now()
}

/** A caller who gives up does not wait for a token. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const give = () => reject(signal.reason)
      if (signal.aborted) give()
      signal.addEventListener('abort', give)
    }),
  ])
}
