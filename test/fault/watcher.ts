/** A verifier that follows the feed of one instance, through a proxy of its own, and what may befall that feed. */
import { createVerifier, type Verifier } from '../../packages/verifier/src/index.js'
import type { Instance } from './cluster/instance.js'
import { until } from './cluster/postgres.js'
import { TcpProxy } from './cluster/proxy.js'
import type { Token } from './device.js'
import type { Entry, FeedFacts, History } from './history.js'

const issuer = 'http://localhost:4000'

export interface WatcherOptions {
  readonly name: string
  readonly at: Instance
  readonly history: History
  readonly serviceKey: string
  readonly mode: 'required' | 'preferred'
  readonly maxAgeSeconds: number
}

export class Watcher {
  readonly name: string
  readonly at: Instance
  /** Between it and the instance. */
  readonly proxy: TcpProxy
  readonly verifier: Verifier
  readonly #history: History
  readonly #options: WatcherOptions
  /** Answers of before that a relay gives again, in place of those of the service. */
  #replayed: readonly string[] | undefined
  readonly #answers: string[] = []
  #askedAt: number | undefined
  #faults = 0
  #faultOverAt = 0
  #connectedSince: number | undefined

  private constructor(options: WatcherOptions, proxy: TcpProxy) {
    const { name, at, history, serviceKey, mode, maxAgeSeconds } = options
    this.name = name
    this.at = at
    this.proxy = proxy
    this.#history = history
    this.#options = options
    this.verifier = createVerifier({
      issuer,
      audience: 'demo-api',
      serviceKey,
      revocation: { mode, maxAgeSeconds },
      fetch: (url, init) => this.#fetch(url, init),
    })
  }

  /** Follows already when this resolves. */
  static async follow(options: WatcherOptions): Promise<Watcher> {
    const proxy = await TcpProxy.start({ host: '127.0.0.1', port: options.at.port })
    const watcher = new Watcher(options, proxy)
    await watcher.fresh()
    return watcher
  }

  get health() {
    return this.verifier.health().revocation
  }

  /** The text of the last answer that brought entries or a beat. */
  get answers(): readonly string[] {
    return this.#answers
  }

  /** Until it calls itself fresh, by an answer to what it asked from now on. */
  async fresh(seconds = 20): Promise<void> {
    const from = performance.now()
    await this.verifier.ready()
    await until(async () => (this.#knows(performance.now()) ?? 0) >= from, seconds).catch(() => {
      throw new Error(`${this.name} is not fresh: ${JSON.stringify(this.health)}`)
    })
  }

  async verify({ text, entry }: Token): Promise<Entry> {
    const { sid, sub, membership, version } = entry.facts
    const what = {
      client: this.name,
      op: 'verify',
      instance: this.at.number,
      user: sub,
      session: sid,
    } as const
    const feed = this.#facts()
    const token = { mintedAt: entry.start, ...(membership !== undefined && { membership, version }) }
    return this.#history.record(what as never, async () => {
      const verdict = await this.verifier.verify(text)
      const facts = { token: token as never, feed }
      return verdict.ok ? { outcome: 'ok', facts } : { outcome: 'refused', code: verdict.code, facts }
    })
  }

  /** From now on something stands between it and the database, until what is returned is called. */
  disturbed(): () => void {
    this.#faults++
    this.#connectedSince = undefined
    let over = false
    return () => {
      if (over) return
      over = true
      this.#faults--
      this.#faultOverAt = performance.now()
    }
  }

  /** A hostile relay: the service is not asked any more, and these are its answers, the last one again and again. */
  replay(answers: readonly string[]): () => void {
    const over = this.disturbed()
    this.#replayed = answers
    return () => {
      this.#replayed = undefined
      over()
    }
  }

  async close(): Promise<void> {
    this.verifier.close()
    await this.proxy.close()
  }

  #facts(): FeedFacts {
    const { mode, maxAgeSeconds } = this.#options
    const knows = this.#knows(performance.now())
    return {
      mode,
      mostAge: maxAgeSeconds * 1000,
      ...(knows !== undefined && { knows }),
      ...(this.#connectedSince !== undefined && { connectedSince: this.#connectedSince }),
      ...(this.#askedAt !== undefined && { askedAt: this.#askedAt }),
    }
  }

  #knows(now: number): number | undefined {
    const { state, ageSeconds } = this.health
    return state === 'fresh' && ageSeconds !== undefined ? now - ageSeconds * 1000 : undefined
  }

  async #fetch(url: string, init?: RequestInit): Promise<Response> {
    const isFeed = new URL(url).pathname === '/v1/feed'
    const replayed = this.#replayed
    if (isFeed && replayed) {
      // A relay may take its time as the service does.
      await new Promise(resolve => setTimeout(resolve, 100))
      const [next = '', ...more] = replayed
      if (more.length > 0 && this.#replayed === replayed) this.#replayed = more
      return new Response(next)
    }
    const sentAt = performance.now()
    const response = await fetch(url.replace(issuer, `http://127.0.0.1:${this.proxy.port}`), init)
    if (!isFeed || response.status !== 200) return response
    const text = await response.text()
    this.#answers.push(text)
    if (this.#answers.length > 50) this.#answers.shift()
    this.#askedAt = Math.max(this.#askedAt ?? 0, sentAt)
    if (this.#faults === 0 && sentAt >= this.#faultOverAt) this.#connectedSince ??= performance.now()
    return new Response(text)
  }
}
