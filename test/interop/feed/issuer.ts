/** An issuer that only has keys and a feed, to be bent: what verifiers of other languages do live, over HTTP. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface SigningKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: object
}

export const audience = 'orders-api'
export const serviceKey = 'mintmark_sk_live'
export const newHandle = () => randomBytes(8).toString('base64url')
export const handleOf = (id: string) => Buffer.from(id, 'base64url').subarray(0, 8).toString('base64url')

export function newKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
  return { kid, privateKey, jwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } }
}

function jws({ kid, privateKey }: SigningKey, typ: string, payload: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'ES256', typ, kid })}.${part(payload)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

type Answers = (request: IncomingMessage, answer: ServerResponse) => void

export class FeedIssuer {
  issuer = ''
  generation = 1764000000
  keys: SigningKey[] = [newKey()]
  signer = this.keys[0] as SigningKey
  /** Instead of the feed. */
  instead: Answers | undefined
  /** The `after` of each request, and what was posted. */
  readonly asked: string[] = []
  readonly posted: string[] = []
  #entries: { readonly tag: string; readonly dead: string }[] = []
  #lost = this.#entries
  #waiting: (() => void)[] = []

  async listen(t: Test): Promise<this> {
    const server = createServer((request, answer) => void this.#answer(request, answer))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return this
  }

  kill(...dead: string[]): void {
    this.#entries.push(...dead.map(one => ({ tag: newHandle(), dead: one })))
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** As after `mintmark recover`, or, with the same generation, after an old copy was restored without it. */
  restore(generation = this.generation): void {
    this.#lost = this.#entries
    this.generation = generation
    this.#entries = []
    this.kill(newHandle())
  }

  /** The right copy again. */
  mend(): void {
    this.#entries = this.#lost
    this.kill(newHandle())
  }

  token(handles: readonly string[] = [], key = this.signer): string {
    const now = Math.floor(Date.now() / 1000)
    const ids = {
      sub: 'user-1',
      sid: randomBytes(16).toString('base64url'),
      client_id: 'web',
      jti: 'token-1',
    }
    const times = { auth_time: now, iat: now, exp: now + 300 }
    const rev = [this.generation, ...handles]
    const how = { acr: '1', amr: ['pwd'] }
    return jws(key, 'at+jwt', { iss: this.issuer, aud: audience, ...ids, ...times, ...how, rev })
  }

  #cursor(number: number): string {
    return `${number}.${this.#entries[number - 1]?.tag ?? ''}`
  }

  message(after: number): string {
    const asof = Date.now() / 1000
    const kids = this.keys.map(({ kid }) => kid).sort()
    return jws(this.signer, 'mintmark-feed+jwt', {
      iss: this.issuer,
      aud: `${this.issuer}/v1/feed`,
      exp: asof + 60,
      gen: this.generation,
      asof,
      from: this.#cursor(after),
      to: this.#cursor(this.#entries.length),
      dead: this.#entries.slice(after).map(({ dead }) => dead),
      more: false,
      jwks: createHash('sha256').update(kids.join('')).digest('base64url'),
    })
  }

  async #answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.issuer)
    const json = (body: object) =>
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    if (pathname === '/.well-known/oauth-authorization-server')
      return void json({ issuer: this.issuer, jwks_uri: `${this.issuer}/.well-known/jwks.json` })
    if (pathname === '/.well-known/jwks.json') {
      answer.setHeader('mintmark-feed', `${this.generation}.${this.#entries.length}`)
      return void json({ keys: this.keys.map(({ jwk }) => jwk) })
    }
    if (request.headers.authorization !== `Bearer ${serviceKey}`) return void answer.writeHead(401).end()
    if (pathname === '/v1/feed/fork') {
      for await (const chunk of request) this.posted.push(String(chunk))
      return void answer.writeHead(204).end()
    }
    const after = searchParams.get('after') ?? ''
    this.asked.push(after)
    if (this.instead) return this.instead(request, answer)
    const number = Number(after.split('.')[0])
    if (after !== '' && after !== this.#cursor(number)) return void answer.writeHead(409).end()
    if (number === this.#entries.length) await this.#news()
    answer.setHeader('content-type', 'text/plain').end(this.message(number))
  }

  /** Sooner than in life: a test looks at what a silence does. */
  #news(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      setTimeout(resolve, 300)
    })
  }
}
