/** What the tabs of one origin share: whose turn it is to mint, the token itself, and the news of a sign-out. */

export interface Token {
  /** Made by the tab that minted it; tells two tokens apart without looking into them. */
  readonly id: string
  readonly value: string
  /** On this tab's monotonic clock, in milliseconds. */
  readonly expiresAt: number
  readonly lifetimeMs: number
}

/** `leftMs` counts from when the answer was sent: a clock of another tab says nothing here. */
type Message =
  | { readonly kind: 'ask'; readonly ask: string; readonly key: string; readonly spoilt: string | undefined }
  | {
      readonly kind: 'answer'
      readonly ask: string
      readonly token: (Omit<Token, 'expiresAt'> & { readonly leftMs: number }) | undefined
    }
  | { readonly kind: 'signed_out'; readonly sid: string | undefined }

/** Milliseconds that a tab which holds a token may take to hand it over, before another one is minted. */
const handOverMs = 1000

export type Sharing = ReturnType<typeof openSharing>

/** Without Web Locks (an insecure context) every tab mints for itself. */
export function openSharing(name: string, signedOut: (sid: string | undefined) => void) {
  const { locks } = navigator
  const channel = new BroadcastChannel(name)
  const post = (message: Message) => channel.postMessage(message)
  let held: { readonly key: string; readonly token: Token; readonly release: () => void } | undefined
  let asked:
    | { readonly ask: string; readonly take: (message: Message & { kind: 'answer' }) => void }
    | undefined

  channel.onmessage = ({ data: message }: MessageEvent<Message>) => {
    if (message.kind === 'signed_out') signedOut(message.sid)
    else if (message.kind === 'answer') message.ask === asked?.ask && asked.take(message)
    else if (held?.key === message.key) {
      const { id, value, lifetimeMs, expiresAt } = held.token
      const leftMs = expiresAt - performance.now()
      const good = id !== message.spoilt && leftMs > marginMs(lifetimeMs)
      post({ kind: 'answer', ask: message.ask, token: good ? { id, value, lifetimeMs, leftMs } : undefined })
    }
  }

  const holding = (key: string) => `${name} holds ${key}`

  return {
    /** One tab at a time. */
    async alone<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
      return locks ? locks.request(`${name} mints ${key}`, { signal }, work) : work()
    },

    /** The token of another tab: asked for only while one holds it, so that nobody waits for nothing. */
    async ask(key: string, spoilt: string | undefined): Promise<Token | undefined> {
      const state = await locks?.query()
      let others = state?.held?.filter(lock => lock.name === holding(key)).length ?? 0
      if (held?.key === key) others--
      if (others < 1) return undefined
      const ask = crypto.randomUUID()
      const askedAt = performance.now()
      const found = await new Promise<Token | undefined>(resolve => {
        setTimeout(resolve, handOverMs)
        asked = {
          ask,
          take({ token }) {
            // The answer is younger than the question: by this clock it ends no later than it really does.
            if (token) resolve({ ...token, expiresAt: askedAt + token.leftMs })
            else if (--others === 0) resolve(undefined)
          },
        }
        post({ kind: 'ask', ask, key, spoilt })
      })
      asked = undefined
      return found
    },

    /** Offers the token to the other tabs, as long as this one lives. */
    async hold(key: string, token: Token): Promise<void> {
      if (held?.key === key) held = { ...held, token }
      else {
        held?.release()
        held = { key, token, release: await take(holding(key)) }
      }
    },

    drop(): void {
      held?.release()
      held = undefined
    },

    tellSignedOut: (sid: string | undefined) => post({ kind: 'signed_out', sid }),
  }

  /** Resolves once the lock is held, with what lets it go. */
  function take(lock: string): Promise<() => void> {
    return new Promise(resolve => {
      if (!locks) return resolve(() => {})
      void locks.request(lock, { mode: 'shared' }, () => new Promise<void>(release => resolve(release)))
    })
  }
}

/** A token is renewed when less than this is left of it. */
export function marginMs(lifetimeMs: number): number {
  return Math.min(20_000, lifetimeMs / 5)
}
