/** A person's device: keeps the cookie, does what people do, and writes into the history what came of it. */
import { randomInt } from 'node:crypto'
import type { Answer, Ask, Http } from './cluster/http.js'
import type { Instance } from './cluster/instance.js'
import type { Entry, Facts, History, Op, Outcome, Told } from './history.js'
import { type Person, passwordName, type SeededSession } from './people.js'

export interface Cookie {
  /** As the history knows it: its first id. */
  readonly session: string
  readonly id: string
  readonly value: string
  /** `session#n`: how the history calls it. */
  readonly name: string
}

/** What a mint has answered. */
export interface Token {
  readonly text: string
  /** Of that mint. */
  readonly entry: Entry
}

type Read = (answer: Answer) => Facts

export class Device {
  readonly name: string
  readonly person: Person
  cookie: Cookie | undefined
  /** The last one that it minted. */
  token: Token | undefined
  readonly #http: Http
  readonly #history: History
  readonly #renewals = new Map<string, number>()
  /** The trusted proxy names this address: limits by address do not meet. */
  readonly #address = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`

  constructor(name: string, person: Person, http: Http, history: History, session?: SeededSession) {
    this.name = name
    this.person = person
    this.#http = http
    this.#history = history
    if (session)
      this.cookie = { session: session.id, id: session.id, value: session.cookie, name: `${session.id}#0` }
  }

  /** Over the cookie it has, as browsers do, unless told to forget it. */
  async signIn(at: Instance, password = this.person.passwords[0] ?? '', over = this.cookie): Promise<Entry> {
    const body = { email: this.person.email, password }
    const known = passwordName(this.person.id, password)
    return this.#do(
      'sign-in',
      at,
      over,
      { method: 'POST', path: '/v1/session', body },
      answer => {
        const { session, user } = answer.body as { session: { id: string }; user: { id: string } }
        this.#keep(answer)
        return { opened: session.id, password: known, sub: user.id }
      },
      { facts: { password: known } },
    )
  }

  check(at: Instance, cookie = this.cookie): Promise<Entry> {
    return this.#do('check', at, cookie, { method: 'GET', path: '/v1/session' }, ({ body }) => {
      const { session, user, tenant } = body as WhoAmI
      const facts = { sid: this.#history.sessionOf(session.id), sub: user.id }
      return tenant ? { ...facts, ...version(user.id, tenant.id, tenant.roles) } : facts
    })
  }

  async mint(at: Instance, tenant?: string, cookie = this.cookie): Promise<Entry> {
    const body = { client_id: 'demo', ...(tenant !== undefined && { tenant }) }
    const lost: Facts =
      tenant === undefined ? {} : { membership: `${this.person.id}|${tenant}`, version: 'lost' }
    let text: string | undefined
    const entry = await this.#do(
      'mint',
      at,
      cookie,
      { method: 'POST', path: '/v1/token', body },
      ({ body: told }) => {
        const { access_token } = told as { access_token: string }
        text = access_token
        const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString())
        const facts = { sid: this.#history.sessionOf(claims.sid), sub: claims.sub }
        return claims.tenant ? { ...facts, ...version(claims.sub, claims.tenant, claims.roles) } : facts
      },
      { forbidden: lost },
    )
    if (text !== undefined) this.token = { text, entry }
    return entry
  }

  list(at: Instance, cookie = this.cookie): Promise<Entry> {
    return this.#do('list', at, cookie, { method: 'GET', path: '/v1/sessions' }, ({ body }) => {
      const mine = (body as { sessions: { id: string; current: boolean }[] }).sessions.find(
        one => one.current,
      )
      return mine ? { sid: this.#history.sessionOf(mine.id) } : {}
    })
  }

  switchTenant(at: Instance, tenant: string | null, cookie = this.cookie): Promise<Entry> {
    return this.#do('switch', at, cookie, { method: 'PUT', path: '/v1/session/tenant', body: { tenant } })
  }

  stepUp(at: Instance, password = this.person.passwords[0] ?? '', cookie = this.cookie): Promise<Entry> {
    const ask = { method: 'POST', path: '/v1/session/step-up', body: { password } } as const
    return this.#do('step-up', at, cookie, ask, answer => this.#renewed(answer, cookie))
  }

  async changePassword(
    at: Instance,
    to: string,
    from = this.person.passwords[0] ?? '',
    cookie = this.cookie,
  ) {
    const { person } = this
    const facts = { password: passwordName(person.id, from), newPassword: passwordName(person.id, to) }
    const body = { current_password: from, new_password: to }
    const ask = { method: 'PUT', path: '/v1/password', body } as const
    const entry = await this.#do(
      'change-password',
      at,
      cookie,
      ask,
      answer => this.#renewed(answer, cookie),
      {
        facts,
      },
    )
    if (entry.outcome === 'ok') person.passwords = [to]
    if (entry.outcome === 'unknown') person.passwords = [...person.passwords, to]
    return entry
  }

  async signOut(at: Instance, cookie = this.cookie): Promise<Entry> {
    const entry = await this.#do('sign-out', at, cookie, { method: 'DELETE', path: '/v1/session' })
    if (entry.outcome === 'ok' && this.cookie === cookie) this.cookie = undefined
    return entry
  }

  endOne(at: Instance, target: string, cookie = this.cookie): Promise<Entry> {
    return this.#do('end-one', at, cookie, { method: 'DELETE', path: `/v1/sessions/${target}` }, () => ({}), {
      target: this.#history.sessionOf(target),
    })
  }

  endOthers(at: Instance, cookie = this.cookie): Promise<Entry> {
    const ask = { method: 'DELETE', path: '/v1/sessions' } as const
    return this.#do('end-others', at, cookie, ask, answer => this.#renewed(answer, cookie))
  }

  endAll(at: Instance, cookie = this.cookie): Promise<Entry> {
    return this.#do('end-all', at, cookie, { method: 'DELETE', path: '/v1/sessions?scope=all' })
  }

  /** The same request again until it is accepted, or for some seconds: how it ended is what counts. */
  async heals(at: Instance, cookie: Cookie, seconds = 5): Promise<Entry> {
    const limit = performance.now() + seconds * 1000
    for (;;) {
      const entry = await this.#told('healed', at, cookie, { method: 'GET', path: '/v1/session' }, () => ({}))
      const final = entry.outcome !== 'unknown' || performance.now() > limit
      if (final) return this.#history.add(entry)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  async #do(
    op: Op,
    at: Instance,
    cookie: Cookie | undefined,
    ask: Ask,
    read: Read = () => ({}),
    more: More = {},
  ) {
    return this.#history.add(await this.#told(op, at, cookie, ask, read, more))
  }

  async #told(
    op: Op,
    at: Instance,
    cookie: Cookie | undefined,
    ask: Ask,
    read: Read,
    more: More = {},
  ): Promise<Entry> {
    const what = {
      client: this.name,
      op,
      instance: at.number,
      user: this.person.id,
      ...(cookie && { session: cookie.session, credential: cookie.name }),
      ...(more.target !== undefined && { target: more.target }),
    }
    const start = performance.now()
    const request = { ...ask, address: this.#address, cookie: cookie?.value }
    const answer = await this.#http.ask(at.port, request).catch(() => undefined)
    const end = performance.now()
    return { ...what, start, end, ...tell(answer, read, more) }
  }

  #keep(answer: Answer, from?: Cookie): Cookie | undefined {
    if (!answer.cookie) return undefined
    const id = answer.cookie.split('.')[0] ?? ''
    const session = from?.session ?? id
    if (id !== session) this.#history.goesOn(session, id)
    const count = this.#renewals.get(session) ?? (from ? 1 : 0)
    this.#renewals.set(session, count + 1)
    this.cookie = { session, id, value: answer.cookie, name: `${session}#${count}` }
    return this.cookie
  }

  #renewed(answer: Answer, from: Cookie | undefined): Facts {
    const cookie = this.#keep(answer, from)
    return cookie ? { renewed: cookie.name } : {}
  }
}

interface More {
  readonly target?: string
  /** Known whatever the answer. */
  readonly facts?: Facts
  /** What a refusal over the tenant tells. */
  readonly forbidden?: Facts
}

interface WhoAmI {
  readonly session: { readonly id: string }
  readonly user: { readonly id: string }
  readonly tenant: { readonly id: string; readonly roles: readonly string[] } | null
}

function version(user: string, tenant: string, roles: readonly string[]): Facts {
  return { membership: `${user}|${tenant}`, version: Number(roles[0]?.slice(1) ?? -1) }
}

function tell(answer: Answer | undefined, read: Read, { facts = {}, forbidden = {} }: More): Told {
  if (!answer) return { outcome: 'unknown', facts }
  const { status } = answer
  if (status < 300) return { outcome: 'ok', status, facts: { ...facts, ...read(answer) } }
  const code = String((answer.body as { code?: unknown } | undefined)?.code)
  const outcome: Outcome = status >= 500 ? 'unknown' : 'refused'
  return { outcome, status, code, facts: code === 'tenant_forbidden' ? { ...facts, ...forbidden } : facts }
}
