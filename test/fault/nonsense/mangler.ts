/** A socket between the service and a server, which passes answers on one by one, or makes nonsense of them. */
import { createConnection, createServer, type NetConnectOpts, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Chance } from '../random/prng.js'

/** One connection, towards the service. */
export interface Line {
  /** The first that the service sent on it. */
  readonly opening: Buffer
  /** The answers that the server gave on it, as they were; the latest is last, and few are kept. */
  readonly answers: readonly Buffer[]
  write(bytes: Buffer): void
  /** Everything that was written arrives, and then nothing more. */
  cut(): void
  /** From now on nothing arrives. */
  stall(): void
  /** This, behind whatever is written next. */
  later(bytes: Buffer): void
}

export interface Nonsense {
  /** By these kinds answers are spoilt; each writes what the service gets in place of this one. */
  readonly kinds: Readonly<
    Record<string, (answer: Buffer, line: Line, all: readonly Line[], chance: Chance) => void>
  >
  /** Which kinds a line may meet. */
  readonly meets: (line: Line) => readonly string[]
  /** What comes when nobody has asked. */
  readonly strays: readonly Buffer[]
  /** Whole answers, out of what comes in pieces. */
  readonly split: () => (chunk: Buffer) => Buffer[]
}

export interface Mangler {
  readonly port: number
  /** How often each kind was made so far. */
  readonly made: ReadonlyMap<string, number>
  /** Each answer is spoilt with this probability. */
  begin(chance: Chance, probability: number): void
  /** A line gets something that nobody asked for. */
  stray(): void
  /** From now on all is passed on as it is; lines that do not work any more are cut. */
  heal(): void
}

export async function mangler(
  t: Test,
  nonsense: Nonsense,
  target: NetConnectOpts,
  listenOn: string | undefined = undefined,
): Promise<Mangler> {
  const lines = new Set<OpenLine>()
  const made = new Map<string, number>()
  let spoiling: { readonly chance: Chance; readonly probability: number } | undefined
  const count = (kind: string) => made.set(kind, (made.get(kind) ?? 0) + 1)

  const server = createServer({ noDelay: true }, front => {
    const back = createConnection(target)
    const line = new OpenLine(front, back, () => lines.delete(line))
    lines.add(line)
    const whole = nonsense.split()
    back.on('data', chunk => {
      for (const answer of whole(chunk)) {
        line.remember(answer)
        if (!spoiling || spoiling.chance.next() >= spoiling.probability) {
          line.write(answer)
          continue
        }
        const kind = spoiling.chance.of(nonsense.meets(line))
        count(kind)
        nonsense.kinds[kind]?.(answer, line, [...lines], spoiling.chance)
      }
    })
  })
  await new Promise<void>(resolve => {
    if (listenOn === undefined) server.listen(0, '127.0.0.1', resolve)
    else server.listen(listenOn, resolve)
  })
  t.teardown(() => {
    for (const line of lines) line.destroy()
    return new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    made,
    begin(chance, probability) {
      spoiling = { chance, probability }
    },
    stray() {
      if (!spoiling || lines.size === 0) return
      count('stray')
      spoiling.chance.of([...lines]).write(spoiling.chance.of(nonsense.strays))
    },
    heal() {
      spoiling = undefined
      for (const line of lines) if (line.broken) line.destroy()
    },
  }
}

class OpenLine implements Line {
  opening = Buffer.alloc(0)
  readonly answers: Buffer[] = []
  readonly #front: Socket
  readonly #back: Socket
  #waiting: Buffer[] = []
  #stalled = false

  constructor(front: Socket, back: Socket, gone: () => void) {
    this.#front = front
    this.#back = back
    front.on('data', chunk => {
      if (this.opening.length === 0) this.opening = chunk
      back.write(chunk)
    })
    const end = () => {
      gone()
      this.destroy()
    }
    for (const socket of [front, back]) socket.on('error', end).on('close', end)
  }

  get broken(): boolean {
    return this.#stalled || this.#waiting.length > 0
  }

  remember(answer: Buffer): void {
    this.answers.push(answer)
    if (this.answers.length > 8) this.answers.shift()
  }

  write(bytes: Buffer): void {
    if (this.#stalled) return
    this.#front.write(bytes)
    for (const behind of this.#waiting.splice(0)) this.#front.write(behind)
  }

  cut(): void {
    this.#stalled = true
    this.#front.end()
  }

  stall(): void {
    this.#stalled = true
  }

  later(bytes: Buffer): void {
    this.#waiting.push(bytes)
  }

  destroy(): void {
    this.#front.destroy()
    this.#back.destroy()
  }
}

/** As many bytes as that, of any kind. */
export function garbage(chance: Chance, most = 200): Buffer {
  return Buffer.from(Array.from({ length: chance.between(1, most) }, () => chance.between(0, 255)))
}
