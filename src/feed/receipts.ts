/** Receipts: which verifiers have applied a revocation, which reject everything by themselves, and which may not know it. */
import type { Registry } from './registry.js'
import {
  type FeedPosition,
  type RegistryReading,
  type Verifier,
  type VerifierStore,
  verifierName,
  writePosition,
} from './verifiers.js'

/** Seconds: how old a message may be that came by way of a relay. */
const byRelay = 60
/** Seconds that verifiers in general add to the end of a token. */
const leeway = 30

/** Of one instance. More are answered at once. */
const mostWaiting = 100
const everyMs = 150

export const verifierStates = ['confirmed', 'fenced', 'waiting', 'silent'] as const
export type VerifierState = (typeof verifierStates)[number]

export interface Receipt {
  readonly position: FeedPosition
  readonly confirmed: readonly string[]
  readonly fenced: readonly { readonly verifier: string; readonly refusesSince: number }[]
  readonly waiting: readonly string[]
  /** A NumericDate: then every token that it revoked has expired, for anybody who is not named here as well. */
  readonly unknownUntil: number
}

/** As of one reading. `silent`: no token that was minted before its last request is valid; no receipt names it. */
export function stateOf(
  verifier: Verifier,
  at: FeedPosition,
  { now, longestLifetime }: Pick<RegistryReading, 'now' | 'longestLifetime'>,
): VerifierState {
  const { applied, mode, lastSeenAt } = verifier
  if (applied && (applied.generation > at.generation || isUpTo(applied, at))) return 'confirmed'
  // Silence tells only of one that rejects by itself what it cannot check.
  if (mode === 'required') return refusesSince(verifier) <= now ? 'fenced' : 'waiting'
  return now - lastSeenAt > longestLifetime + leeway + byRelay ? 'silent' : 'waiting'
}

const isUpTo = (applied: FeedPosition, at: FeedPosition) =>
  applied.generation === at.generation && applied.position >= at.position

const refusesSince = ({ lastSeenAt, maxAgeSeconds }: Verifier) => lastSeenAt + maxAgeSeconds + byRelay

export function receiptOf(reading: RegistryReading, position: FeedPosition, givenAt: number): Receipt {
  const sorted = [...reading.verifiers].sort((a, b) => (verifierName(a) < verifierName(b) ? -1 : 1))
  const those = (state: VerifierState) => sorted.filter(one => stateOf(one, position, reading) === state)
  return {
    position,
    confirmed: those('confirmed').map(verifierName),
    fenced: those('fenced').map(one => ({
      verifier: verifierName(one),
      refusesSince: Math.floor(refusesSince(one)),
    })),
    waiting: those('waiting').map(verifierName),
    unknownUntil: Math.ceil(givenAt + reading.longestLifetime + leeway),
  }
}

/** As JSON shows it. */
export function describeReceipt({ position, confirmed, fenced, waiting, unknownUntil }: Receipt) {
  return {
    position: writePosition(position),
    confirmed: [...confirmed],
    fenced: fenced.map(({ verifier, refusesSince }) => ({ verifier, refuses_since: refusesSince })),
    waiting: [...waiting],
    unknown_until: unknownUntil,
    effective: waiting.length === 0 ? ('everywhere_known' as const) : ('partly' as const),
  }
}

export type Receipts = ReturnType<typeof createReceipts>

interface Waiting {
  readonly position: FeedPosition
  readonly end: () => void
}

/** `registry` is of a service; a command has only what is written. */
export function createReceipts(store: VerifierStore, registry?: Pick<Registry, 'withOwn' | 'waited'>) {
  const waiting = new Set<Waiting>()
  let announcedUntil = 0
  let running = false
  let closed = false

  const read = async () => {
    const reading = await store.read()
    return registry ? registry.withOwn(reading) : reading
  }

  async function run(): Promise<void> {
    if (running) return
    running = true
    while (waiting.size > 0) {
      registry?.waited()
      const reading = await read().catch(() => undefined)
      for (const { position, end } of waiting) if (reading && isKnownEverywhere(reading, position)) end()
      await new Promise(resolve => setTimeout(resolve, everyMs))
    }
    running = false
  }

  async function announce(ms: number): Promise<void> {
    const until = performance.now() + ms
    if (until <= announcedUntil) return
    announcedUntil = until
    await store.announceWait(ms / 1000).catch(() => {
      announcedUntil = 0
    })
  }

  return {
    /** `unknown`: no such position was given. */
    async of(position: FeedPosition): Promise<Receipt | 'unknown'> {
      const reading = await read()
      const { generation, head, now } = reading
      const isOld = position.generation < generation
      if (!isOld && (position.generation > generation || position.position > head)) return 'unknown'
      const givenAt = isOld ? undefined : await store.givenAt(position.position)
      return receiptOf(reading, position, givenAt ?? now)
    },

    /** Until it is known everywhere, or the time is over, or nobody listens any more. `full`: too many wait already. */
    async wait(position: FeedPosition, ms: number, listening: AbortSignal): Promise<'waited' | 'full'> {
      if (closed || waiting.size >= mostWaiting) return 'full'
      await new Promise<void>(resolve => {
        const end = () => {
          waiting.delete(one)
          clearTimeout(timer)
          listening.removeEventListener('abort', end)
          resolve()
        }
        const one = { position, end }
        const timer = setTimeout(end, ms)
        waiting.add(one)
        listening.addEventListener('abort', end)
        if (listening.aborted) return end()
        void announce(ms)
        void run()
      })
      return 'waited'
    },

    read,

    close(): void {
      closed = true
      for (const { end } of waiting) end()
    },
  }
}

function isKnownEverywhere(reading: RegistryReading, position: FeedPosition): boolean {
  return reading.verifiers.every(one => stateOf(one, position, reading) !== 'waiting')
}

/** Seconds: who is silent for longer may be gone. */
const heldWithin = 300

/** What a rotation asks before it begins. */
export function heldListsIn({ read }: Pick<Receipts, 'read'>) {
  return async () => {
    const { verifiers, now } = await read()
    return verifiers.flatMap(({ jwks, lastSeenAt, ...one }) =>
      jwks === null || now - lastSeenAt > heldWithin ? [] : { verifier: verifierName(one), digest: jwks },
    )
  }
}
