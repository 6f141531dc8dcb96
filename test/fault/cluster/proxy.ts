/** A TCP proxy in front of one server: it passes everything on until it is told to delay, freeze, cut, refuse or hold. */
import { createConnection, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'

export type Direction = 'to-server' | 'to-client'

/** Data that were stopped on their way; what follows them on that connection waits behind them. */
export interface Hold {
  /** Resolves when something matched. */
  readonly caught: Promise<void>
  release(): void
}

interface Rule {
  readonly direction: Direction
  readonly match: (text: string) => boolean
  readonly after: string | undefined
  /** The connections on which `after` has passed. */
  readonly primed: Set<Pair>
  readonly catch: () => void
  lane: Lane | undefined
  done: boolean
}

export class TcpProxy {
  /** Where new connections lead. */
  target: NetConnectOpts
  /** Milliseconds that all data take on their way. */
  delayMs = 0
  port = 0
  #server: Server | undefined
  #pairs = new Set<Pair>()
  #rules = new Set<Rule>()
  #cuts = 0
  frozen = false

  private constructor(target: NetConnectOpts) {
    this.target = target
  }

  static async start(target: NetConnectOpts): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await proxy.#listen()
    return proxy
  }

  /**
   * The first data that match are held, with what follows them on their connection. With `after`, only on a connection
   * on which that text passed to the server before.
   */
  hold(direction: Direction, match: string | RegExp, { after }: { after?: string } = {}): Hold {
    let caught = () => {}
    const promise = new Promise<void>(resolve => {
      caught = resolve
    })
    const matches = (text: string) => (typeof match === 'string' ? text.includes(match) : match.test(text))
    const rule: Rule = {
      direction,
      match: matches,
      after,
      primed: new Set(),
      catch: caught,
      lane: undefined,
      done: false,
    }
    this.#rules.add(rule)
    return {
      caught: promise,
      release: () => {
        rule.done = true
        this.#rules.delete(rule)
        rule.lane?.pump()
      },
    }
  }

  /** For the lane that asks: the rule that stops this chunk. */
  stops(lane: Lane, chunk: Buffer): Rule | undefined {
    const text = chunk.toString('latin1')
    for (const rule of this.#rules) {
      const ready = rule.after === undefined || rule.primed.has(lane.pair)
      if (rule.after !== undefined && lane.direction === 'to-server' && text.includes(rule.after))
        rule.primed.add(lane.pair)
      if (!ready || rule.lane || rule.direction !== lane.direction || !rule.match(text)) continue
      rule.lane = lane
      rule.catch()
      return rule
    }
    return undefined
  }

  /** The next answers are passed on by half, and the connection is cut there. */
  cut(times = 1): void {
    this.#cuts += times
  }

  takesCut(lane: Lane): boolean {
    if (lane.direction !== 'to-client' || this.#cuts === 0) return false
    this.#cuts--
    return true
  }

  /** Connections stay open and new ones are taken, but nothing passes. */
  freeze(): void {
    this.frozen = true
  }

  /** Open connections are reset and new ones refused, as when the server is away. */
  async refuse(): Promise<void> {
    this.drop()
    const server = this.#server
    this.#server = undefined
    await new Promise(resolve => (server ? server.close(resolve) : resolve(undefined)))
  }

  drop(): void {
    for (const pair of this.#pairs) pair.end()
  }

  /** As at first: nothing is delayed, held, frozen or refused. */
  async heal(): Promise<void> {
    this.delayMs = 0
    this.#cuts = 0
    this.frozen = false
    for (const rule of this.#rules) rule.done = true
    this.#rules.clear()
    for (const pair of this.#pairs) pair.pump()
    if (!this.#server) await this.#listen()
  }

  async close(): Promise<void> {
    await this.refuse()
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: false }, front => {
        const pair = new Pair(this, front, createConnection(this.target), () => this.#pairs.delete(pair))
        this.#pairs.add(pair)
      })
      server.on('error', reject)
      server.listen(this.port, '127.0.0.1', () => {
        this.port = (server.address() as { port: number }).port
        this.#server = server
        resolve()
      })
    })
  }
}

class Pair {
  readonly #lanes: readonly Lane[]
  readonly end: () => void

  constructor(proxy: TcpProxy, front: Socket, back: Socket, gone: () => void) {
    this.end = () => {
      gone()
      front.destroy()
      back.destroy()
    }
    this.#lanes = [
      new Lane(this, proxy, 'to-server', front, back),
      new Lane(this, proxy, 'to-client', back, front),
    ]
    for (const socket of [front, back]) socket.on('error', this.end).on('close', this.end)
  }

  pump(): void {
    for (const lane of this.#lanes) lane.pump()
  }
}

/** One direction of one connection: chunks in their order. */
class Lane {
  readonly direction: Direction
  readonly #proxy: TcpProxy
  readonly #to: Socket
  readonly pair: Pair
  readonly #queue: { chunk: Buffer; due: number }[] = []
  #stopped: Rule | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(pair: Pair, proxy: TcpProxy, direction: Direction, from: Socket, to: Socket) {
    this.pair = pair
    this.#proxy = proxy
    this.direction = direction
    this.#to = to
    from.on('data', chunk => {
      this.#queue.push({ chunk, due: performance.now() + proxy.delayMs })
      this.pump()
    })
  }

  pump(): void {
    if (this.#stopped?.done) this.#stopped = undefined
    while (!this.#proxy.frozen && !this.#stopped) {
      const next = this.#queue[0]
      if (!next) return
      const wait = next.due - performance.now()
      if (wait > 0 && this.#proxy.delayMs > 0) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined
          this.pump()
        }, wait)
        return
      }
      this.#stopped = this.#proxy.stops(this, next.chunk)
      if (this.#stopped) return
      this.#queue.shift()
      if (this.#proxy.takesCut(this)) {
        this.#to.write(next.chunk.subarray(0, next.chunk.length >> 1), this.pair.end)
        return
      }
      this.#to.write(next.chunk)
    }
  }
}
