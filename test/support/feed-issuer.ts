/** An issuer with a feed of revocations, on a real port: it signs what it is told to, and a clock is moved by hand. */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Clock } from '../../packages/verifier/src/clock.js'
import { createVerifier, type OnlineOptions } from '../../packages/verifier/src/index.js'
import { audience, claimsAt, headerOf, signed, start, type TestKey, testKey, until } from './token-issuer.js'

export const handle = () => randomBytes(8).toString('base64url')
/** The first 8 bytes of what is written in base64url. */
export const firstEight = (text: string) =>
  Buffer.from(text, 'base64url').subarray(0, 8).toString('base64url')
export const generation = 1_764_219_600

/** Two clocks: what the wall shows can be set, and the monotonic one, by which timers are due, only goes on. */
export function twoClocks(seconds = start) {
  let passed = 0
  let wall = seconds * 1000
  let timers: { readonly at: number; readonly work: () => void }[] = []
  const clock: Clock = {
    now: () => wall + passed,
    monotonic: () => passed,
    after(milliseconds, work) {
      const timer = { at: passed + milliseconds, work }
      timers.push(timer)
      return () => {
        timers = timers.filter(other => other !== timer)
      }
    },
  }
  return {
    ...clock,
    seconds: () => (wall + passed) / 1000,
    timers: () => timers.length,
    set: (to: number) => {
      wall = to * 1000 - passed
    },
    /** Timers run at their own time, one after another. */
    advance(by: number) {
      const end = passed + by * 1000
      for (;;) {
        const [next] = timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)
        if (!next) break
        timers = timers.filter(other => other !== next)
        passed = Math.max(next.at, passed)
        next.work()
      }
      passed = end
    },
  }
}

export interface Asked {
  readonly after: string
  readonly wait: string | null
  readonly v: string | null
  readonly jwks: string | null
  readonly authorization: string | undefined
}

type Handler = (response: ServerResponse, asked: Asked, request: IncomingMessage) => void

export class FeedIssuer {
  readonly clock = twoClocks()
  issuer = ''
  keys: TestKey[] = [testKey(), testKey()]
  generation = generation
  /** The entries: the number of one is its place, counted from one. */
  log: string[] = []
  pageSize = 10_000
  /** What was asked of the feed. */
  readonly asked: Asked[] = []
  /** The bodies of `POST /v1/feed/fork`. */
  readonly forks: string[] = []
  keysFetched = 0
  /** Answers the feed in place of this issuer. */
  instead: Handler | undefined
  /** Of the list of keys; undefined: as an issuer without a feed. */
  position: (() => string | undefined) | undefined = () => `${this.generation}.${this.log.length}`
  down = false
  introspection: (() => object) | undefined
  #held: { readonly after: number; readonly response: ServerResponse }[] = []

  async listen(t: Test): Promise<void> {
    const server = createServer((request, response) => this.#serve(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(resolve))
    })
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** How many questions wait for news. */
  get waiting(): number {
    return this.#held.length
  }
  signer(): TestKey {
    return this.keys[0] as TestKey
  }
  cursor(number: number): string {
    return number === 0 ? '0.' : `${number}.${this.log[number - 1]}`
  }
  digest(): string {
    const kids = this.keys.map(({ kid }) => kid).sort()
    return createHash('sha256').update(kids.join('')).digest('base64url')
  }

  /** The entries after `from`, up to `to`. */
  payload(from: number, to = this.log.length, more: object = {}) {
    return {
      iss: this.issuer,
      aud: `${this.issuer}/v1/feed`,
      exp: this.clock.seconds() + 60,
      gen: this.generation,
      asof: this.clock.seconds(),
      from: this.cursor(from),
      to: this.cursor(to),
      dead: this.log.slice(from, to),
      more: to < this.log.length,
      jwks: this.digest(),
      ...more,
    }
  }
  sign(payload: unknown, key = this.signer(), header: unknown = headerOf(key, 'mintmark-feed+jwt')): string {
    return signed(key, payload, header)
  }
  message(from: number, to = this.log.length, more: object = {}): string {
    return this.sign(this.payload(from, to, more))
  }

  /** Entries, told at once to who waits. */
  kill(...handles: string[]): void {
    this.log.push(...handles)
    this.beat()
  }
  /** Answers who waits; a little later than before, as every tick is. */
  beat(): void {
    this.clock.advance(0.001)
    for (const { after, response } of this.#held.splice(0)) response.end(`${this.message(after)}\n`)
  }

  token(more: object = {}, key = this.signer()): string {
    const claims = claimsAt(Math.floor(this.clock.seconds()), { iss: this.issuer, rev: this.rev(), ...more })
    return signed(key, claims)
  }
  rev(...handles: string[]): unknown[] {
    return [this.generation, ...(handles.length > 0 ? handles : [handle()])]
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.down) return void request.socket.destroy()
    const url = new URL(request.url ?? '/', this.issuer)
    response.setHeader('date', new Date(this.clock.now()).toUTCString())
    if (url.pathname === '/v1/feed') return void this.#feed(url, request, response)
    if (url.pathname === '/v1/feed/fork') return void this.#fork(request, response)
    if (url.pathname === '/v1/introspect')
      return void response.end(JSON.stringify(this.introspection?.() ?? { active: false }))
    if (url.pathname !== '/.well-known/jwks.json') {
      const { issuer } = this
      const places = {
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        introspection_endpoint: `${issuer}/v1/introspect`,
      }
      return void response.end(JSON.stringify({ issuer, ...places }))
    }
    this.keysFetched++
    const position = this.position?.()
    if (position !== undefined) response.setHeader('Mintmark-Feed', position)
    response.end(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }))
  }

  #feed(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const get = (name: string) => url.searchParams.get(name)
    const { authorization } = request.headers
    const asked = {
      after: get('after') ?? '',
      wait: get('wait'),
      v: get('v'),
      jwks: get('jwks'),
      authorization,
    }
    this.asked.push(asked)
    if (this.instead) return void this.instead(response, asked, request)
    this.answer(response, asked)
  }

  answer(response: ServerResponse, { after, wait }: Asked): void {
    const number = Number(after.split('.')[0] || 0)
    if (after !== '' && this.cursor(number) !== after)
      return void response.writeHead(409).end('{"code":"feed_forked"}')
    if (number < this.log.length || wait === '0') {
      this.clock.advance(0.001)
      const to = Math.min(number + this.pageSize, this.log.length)
      return void response.end(`${this.message(number, to)}\n`)
    }
    const held = { after: number, response }
    this.#held.push(held)
    response.on('close', () => {
      this.#held = this.#held.filter(other => other !== held)
    })
  }

  async #fork(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += chunk
    this.forks.push(JSON.parse(body).message)
    response.writeHead(204).end()
  }
}

/** An issuer, and a verifier that follows it. */
export async function feedStage(
  t: Test,
  {
    world = new FeedIssuer(),
    ...options
  }: Omit<Partial<OnlineOptions>, 'issuer'> & { readonly world?: FeedIssuer } = {},
) {
  if (world.issuer === '') await world.listen(t)
  const verifier = createVerifier({ audience, clock: world.clock, ...options, issuer: world.issuer })
  t.teardown(() => verifier.close())
  const code = async (token = world.token()) => {
    const verdict = await verifier.verify(token)
    return verdict.ok ? 'accepted' : verdict.code
  }
  const principal = async (token = world.token()) => {
    const verdict = await verifier.verify(token)
    if (!verdict.ok) throw new Error(verdict.code)
    return verdict.principal
  }
  const health = () => verifier.health().revocation
  /** Loaded, and waiting for news. */
  const waits = () => becomes(() => health().state === 'fresh' && world.waiting > 0)
  /** Time passes in small steps, and the verifier does in each what it does meanwhile. */
  const pass = async (seconds: number, step = 0.5) => {
    for (let passed = 0; passed < seconds; passed += step) {
      world.clock.advance(step)
      for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
      await new Promise(resolve => setTimeout(resolve, 1))
      // Keys are imported on other threads.
      await until(() => !verifier.health().fetching)
    }
  }
  /** Moves the clock on until it is so. */
  const becomes = async (what: () => boolean, most = 60) => {
    for (let passed = 0; !what() && passed < most; passed += 0.05) await pass(0.05, 0.05)
    if (!what()) throw new Error(`it did not come to pass: ${what}, ${JSON.stringify(health())}`)
  }
  return { world, verifier, code, principal, health, waits, pass, becomes }
}
