/** A small browser for tests: one origin, the cookies of sign-in, and the headers that a real one sends with a fetch. */
import { randomInt } from 'node:crypto'
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'

/** A network address that nobody else in this run has: for what is not about the limits by address. */
export function freshNetworkAddress(): string {
  return `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}`
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH'

export class Browser {
  readonly #app: FastifyInstance
  /** Null: no browser at all, such as curl. */
  readonly origin: string | null
  /** Its network address: every browser has one of its own, so that limits by address do not meet. */
  address = freshNetworkAddress()
  /** The value of `__Host-session`, or undefined. */
  cookie: string | undefined
  /** The value of `__Host-reset`, after a reset in this browser. */
  resetPass: string | undefined
  /** The value of `__Host-pending`, while a sign-in owes its second step. */
  pending: string | undefined
  /** The value of `__Host-passkey`, after a challenge for a sign-in. */
  passkey: string | undefined
  readonly #issuer: string

  constructor(
    app: FastifyInstance,
    origin: string | null,
    cookie?: string,
    issuer = 'http://localhost:4000',
  ) {
    this.#app = app
    this.origin = origin
    this.cookie = cookie
    this.#issuer = issuer
  }

  /** The same cookie jar at another instance, or from another origin. */
  at(app: FastifyInstance, origin = this.origin): Browser {
    return new Browser(app, origin, this.cookie, this.#issuer)
  }

  withCookie(cookie: string | undefined): Browser {
    return new Browser(this.#app, this.origin, cookie, this.#issuer)
  }

  get = (url: string, headers: Record<string, string> = {}) => this.send('GET', url, undefined, headers)
  post = (url: string, body?: unknown, headers: Record<string, string> = {}) =>
    this.send('POST', url, body, headers)
  put = (url: string, body?: unknown, headers: Record<string, string> = {}) =>
    this.send('PUT', url, body, headers)
  delete = (url: string, headers: Record<string, string> = {}) => this.send('DELETE', url, undefined, headers)

  async send(method: Method, url: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await this.#app.inject({
      method,
      url,
      remoteAddress: this.address,
      headers: { ...this.#headers(method), ...headers },
      ...(body !== undefined && { payload: body as object }),
    })
    this.#keep(answer)
    return answer
  }

  #headers(method: Method): Record<string, string> {
    const jar = [
      ...(this.cookie === undefined ? [] : [`__Host-session=${this.cookie}`]),
      ...(this.resetPass === undefined ? [] : [`__Host-reset=${this.resetPass}`]),
      ...(this.pending === undefined ? [] : [`__Host-pending=${this.pending}`]),
      ...(this.passkey === undefined ? [] : [`__Host-passkey=${this.passkey}`]),
    ]
    const cookie = jar.length === 0 ? {} : { cookie: jar.join('; ') }
    const safe = method === 'GET' || method === 'HEAD'
    if (this.origin === null) return { ...cookie, ...(!safe && { 'x-mintmark': '1' }) }
    const own = this.origin === this.#issuer
    const site = { 'sec-fetch-site': own ? 'same-origin' : 'same-site', 'sec-fetch-mode': 'cors' }
    if (safe) return { ...cookie, ...site, ...(!own && { origin: this.origin }) }
    return { ...cookie, ...site, origin: this.origin, 'x-mintmark': '1' }
  }

  #keep(answer: LightMyRequestResponse): void {
    for (const { name, value, maxAge } of answer.cookies) {
      if (name === '__Host-session') this.cookie = maxAge === 0 ? undefined : value
      if (name === '__Host-reset') this.resetPass = value
      if (name === '__Host-passkey') this.passkey = value
      if (name === '__Host-pending') this.pending = maxAge === 0 ? undefined : value
    }
  }
}
