/** An issuer in memory, with a clock that is moved by hand: it signs tokens and a history, and answers as ours does. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Clock } from '../../packages/verifier/src/clock.js'

export const issuer = 'https://id.example.com'
export const audience = 'https://api.example.com'
/** Where the tests begin, in seconds. */
export const start = 1_800_000_000

/** Timers are due by this clock alone; `advance` runs those that became due, in their order. */
export function handClock(seconds = start) {
  let now = seconds * 1000
  let timers: { readonly at: number; readonly work: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    after(milliseconds, work) {
      const timer = { at: now + milliseconds, work }
      timers.push(timer)
      return () => {
        timers = timers.filter(other => other !== timer)
      }
    },
  }
  return {
    ...clock,
    seconds: () => now / 1000,
    timers: () => timers.length,
    /** As an operator sets a clock: nothing runs. */
    set: (to: number) => {
      now = to * 1000
    },
    advance(seconds: number) {
      now += seconds * 1000
      for (const timer of timers.filter(({ at }) => at <= now).sort((one, other) => one.at - other.at)) {
        timers = timers.filter(other => other !== timer)
        timer.work()
      }
    },
  }
}
export type HandClock = ReturnType<typeof handClock>

export interface TestKey {
  readonly kid: string
  readonly private: KeyObject
  readonly jwk: Readonly<Record<string, string>>
}

export function testKey(): TestKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = pair.publicKey.export({ format: 'jwk' }) as Record<string, string>
  // RFC 7638: the members in this order, without white space.
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
  const jwk = { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as Record<string, string>
  return { kid, private: pair.privateKey, jwk }
}

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A text is signed as it stands. */
export function signed(key: TestKey, payload: unknown, header: unknown = headerOf(key)): string {
  const input = `${encode(header)}.${Buffer.isBuffer(payload) ? payload.toString('base64url') : encode(payload)}`
  const signature = sign('sha256', Buffer.from(input), { key: key.private, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
export const headerOf = ({ kid }: TestKey, typ = 'at+jwt') => ({ alg: 'ES256', typ, kid })

export function claimsAt(seconds: number, more: object = {}) {
  return {
    iss: issuer,
    sub: 'd9b2c7a0-5b0f-4b1e-8a58-0c6e0f7a2d11',
    aud: audience,
    exp: seconds + 300,
    iat: seconds,
    jti: 'AAECAwQFBgcICQoLDA0ODw',
    client_id: 'app',
    sid: 'AAECAwQFBgcICQoLDA0ODw',
    auth_time: seconds - 60,
    acr: 'aal1',
    amr: ['pwd'],
    ...more,
  }
}

export type Asked = 'metadata' | 'keys' | 'history' | 'introspection' | 'elsewhere'
type Reply = () => Response | Promise<Response>

/** A store as a caller of the verifier has one, in memory. */
export function memory(text?: string) {
  const store = {
    text,
    saves: 0,
    load: async () => store.text,
    save: async (next: string) => {
      store.saves++
      store.text = next
    },
  }
  return store
}

/** Tests change what it has and what it answers as it goes along. */
export class TestIssuer {
  readonly clock: HandClock
  keys = [testKey()]
  history: object[] = []
  /** What was asked for, in order. */
  readonly asked: Asked[] = []
  /** Instead of what this issuer answers. */
  instead: Partial<Record<Asked, Reply>> = {}
  down = false

  constructor(clock = handClock()) {
    this.clock = clock
  }

  /** For a verifier that asks this issuer for its keys, and follows no feed. */
  get means() {
    const { fetch, clock } = this
    return { fetch, clock, revocation: 'off' as const }
  }

  signer(): TestKey {
    return this.keys[0] as TestKey
  }
  token(more: object = {}, key = this.signer()): string {
    return signed(key, claimsAt(Math.floor(this.clock.seconds()), more))
  }
  count(what: Asked): number {
    return this.asked.filter(asked => asked === what).length
  }
  entry(key: TestKey, nbf: number, exp: number, more: object = {}): object {
    return { ...key.jwk, iat: nbf - 10, nbf, exp, ...more }
  }
  historyJws(more: object = {}, key = this.signer()): string {
    const aud = `${issuer}/.well-known/historical-keys`
    const payload = { iss: issuer, aud, iat: Math.floor(this.clock.seconds()), keys: this.history, ...more }
    return signed(key, payload, headerOf(key, 'jwk-set+jwt'))
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const what = asks(url)
    this.asked.push(what)
    init.signal?.throwIfAborted()
    if (this.down) throw new TypeError('fetch failed')
    return this.instead[what]?.() ?? this.answer(what)
  }

  answer(what: Asked): Response {
    const date = new Date(this.clock.now()).toUTCString()
    const json = (value: unknown) => Response.json(value, { headers: { date } })
    if (what === 'metadata')
      return json({
        issuer,
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        introspection_endpoint: `${issuer}/v1/introspect`,
      })
    if (what === 'keys') return json({ keys: this.keys.map(({ jwk }) => jwk) })
    if (what !== 'history') return new Response(null, { status: 404 })
    return new Response(this.historyJws(), { headers: { date, 'content-type': 'application/jwk-set+jwt' } })
  }
}

function asks(url: string): Asked {
  const places: Record<string, Asked> = {
    [`${issuer}/.well-known/oauth-authorization-server`]: 'metadata',
    [`${issuer}/.well-known/jwks.json`]: 'keys',
    [`${issuer}/.well-known/historical-keys`]: 'history',
    [`${issuer}/v1/introspect`]: 'introspection',
  }
  return places[url] ?? 'elsewhere'
}

/** Waits for what happens in the background: keys are imported on other threads. It is no limit that a test is about. */
export async function until(what: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  for (let turns = 0; !what(); turns++) {
    if (performance.now() > end) throw new Error(`it did not come to pass: ${what}`)
    await new Promise(resolve => (turns < 1_000 ? setImmediate(resolve) : setTimeout(resolve, 1)))
  }
}
