/** An identity provider in this process that is honest unless a test tells it to lie, in any field of any answer. */
import { randomBytes, randomUUID } from 'node:crypto'
import {
  back,
  defined,
  type Grant,
  json,
  type Parameters,
  refusal,
  refused,
  seconds,
} from './hostile-honest.js'
import {
  honest,
  leftHalf,
  type ProviderAlg,
  type ProviderKey,
  providerKey,
  type Sign,
} from './hostile-keys.js'
import type { Answer, Lie } from './hostile-lies.js'
import {
  claimsOf,
  discoveryDocument,
  type Endpoint,
  endpointAt,
  type GithubEmail,
  githubEmails,
  githubUser,
  issuerOf,
  type Kind,
  type Person,
  places,
} from './hostile-shapes.js'
import { type Heard, listen } from './hostile-wire.js'

type Claims = Record<string, unknown>

/** What is absent is honest. Every lie holds until it is taken back: `provider.lies = {}`. */
export interface Lies extends Partial<Record<Endpoint, Lie>> {
  /** The parameters at the client's callback; what becomes undefined is left out. */
  redirect?: (honest: Parameters) => Parameters
  /** The redirect as a page whose form posts itself, whatever response_mode was asked for. */
  formPost?: boolean
  /** A text is signed as it stands. */
  claims?: (honest: Claims) => Claims | string
  header?: (honest: Claims) => Claims
  sign?: Sign
}

export interface Seen extends Heard {
  readonly endpoint: Endpoint | 'elsewhere'
}

export interface HostileProviderOptions {
  readonly clientId: string
  readonly clientSecret: string
  readonly kind?: Kind
  readonly alg?: ProviderAlg
  /** Where it may send people to; without it anywhere. */
  readonly redirectUri?: string
}

export async function startHostileProvider(options: HostileProviderOptions): Promise<HostileProvider> {
  const provider = new HostileProvider(options)
  await provider.start()
  return provider
}

export class HostileProvider {
  readonly kind: Kind
  readonly clientId: string
  readonly clientSecret: string
  readonly requests: Seen[] = []
  lies: Lies = {}
  /** The first one signs; all are published. */
  keys: ProviderKey[] = []
  person: Person = { sub: '583231', email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' }
  /** GitHub's list; by default made from the person. */
  emails: GithubEmail[] | undefined
  /** Microsoft's `tid`, of whoever signs in next. */
  tenant = '72f988bf-86f1-41af-91ab-2d7cd011db47'
  /** Of the sign-in that came last. */
  sid: string | undefined
  url = ''
  close = async (): Promise<void> => {}
  readonly #options: HostileProviderOptions
  readonly #codes = new Map<string, Grant>()
  readonly #tokens = new Map<string, Grant>()

  constructor(options: HostileProviderOptions) {
    this.#options = options
    this.clientId = options.clientId
    this.clientSecret = options.clientSecret
    this.kind = options.kind ?? 'openid'
  }

  async start(): Promise<void> {
    await this.rotate()
    const wire = await listen(heard => this.#answer(heard))
    this.url = wire.url
    this.close = wire.close
  }

  /** As discovery has it: for Microsoft with the literal `{tenantid}`. */
  get issuer(): string {
    return issuerOf(this.kind, this.url, '{tenantid}')
  }
  at(endpoint: Endpoint): string {
    return `${this.url}${places[this.kind][endpoint]}`
  }
  count(endpoint: Endpoint): number {
    return this.requests.filter(seen => seen.endpoint === endpoint).length
  }

  /** A new key signs from now on. The older ones stay published, unless they are forgotten. */
  async rotate({ forget = false } = {}): Promise<ProviderKey> {
    const key = await providerKey(this.#options.alg ?? (this.kind === 'microsoft' ? 'RS256' : 'ES256'))
    this.keys = forget ? [key] : [key, ...this.keys]
    return key
  }

  /** OpenID Connect Back-Channel Logout 1.0; members given replace its own, undefined ones leave them out. */
  logoutToken(claims: Claims = {}, header: Claims = {}, sign: Sign = honest): Promise<string> {
    const own = {
      iss: issuerOf(this.kind, this.url, this.tenant),
      aud: this.clientId,
      iat: seconds(),
      exp: seconds() + 120,
      jti: randomUUID(),
      sub: this.person.sub,
      sid: this.sid,
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    }
    return this.#sign({ ...own, ...claims }, { typ: 'logout+jwt', ...header }, sign)
  }

  async #answer(heard: Heard): Promise<Answer> {
    const { endpoint, tenant } = endpointAt(this.kind, heard.path)
    this.requests.push({ ...heard, endpoint: endpoint ?? 'elsewhere' })
    if (endpoint === undefined) return json({ message: 'Not Found' }, 404)
    const truth = await this.#truth(endpoint, heard, tenant)
    return (await this.lies[endpoint]?.(truth, heard)) ?? truth
  }

  #truth(endpoint: Endpoint, heard: Heard, tenant: string): Answer | Promise<Answer> {
    switch (endpoint) {
      case 'discovery':
        return json(discoveryDocument(this.kind, this.url, tenant, this.keys))
      case 'jwks':
        return json({ keys: this.keys.map(({ jwk }) => this.#published(jwk)) })
      case 'authorize':
        return this.#authorize(heard.parameters)
      case 'token':
        return this.#token(heard)
      case 'userinfo':
      case 'emails':
        return this.#about(endpoint, heard)
      case 'logout':
        return back(heard.parameters.post_logout_redirect_uri ?? this.url, {
          state: heard.parameters.state,
        })
    }
  }

  /** Microsoft's keys say whose they are, and not for which algorithm. */
  #published({ alg, ...jwk }: Claims): Claims {
    return this.kind === 'microsoft' ? { ...jwk, issuer: this.issuer } : { ...jwk, alg }
  }

  #authorize(asked: Readonly<Record<string, string>>): Answer {
    const { redirectUri = asked.redirect_uri } = this.#options
    if (asked.client_id !== this.clientId || redirectUri === undefined || asked.redirect_uri !== redirectUri)
      return { ...json('unknown client or redirect_uri', 400), headers: { 'content-type': 'text/plain' } }
    const iss = this.kind === 'openid' ? this.issuer : undefined
    if (asked.response_type !== 'code' && this.kind !== 'github')
      return back(redirectUri, { error: 'unsupported_response_type', state: asked.state, iss })
    const code = randomBytes(20).toString('hex')
    this.sid = randomUUID()
    this.#codes.set(code, { asked, person: this.person, sid: this.sid, authTime: seconds() })
    const honest = { code, state: asked.state, iss }
    const formPost = this.lies.formPost || asked.response_mode === 'form_post'
    return back(redirectUri, this.lies.redirect?.(honest) ?? honest, formPost)
  }

  async #token(heard: Heard): Promise<Answer> {
    const grant = this.#codes.get(heard.parameters.code ?? '')
    const why = refusal(this, heard, grant)
    if (why !== undefined || !grant) return refused(this.kind, why ?? 'invalid_grant')
    this.#codes.delete(heard.parameters.code ?? '')
    const accessToken = randomBytes(20).toString('hex')
    this.#tokens.set(accessToken, grant)
    if (this.kind !== 'github') {
      const idToken = await this.#idToken(grant, accessToken)
      const more = { token_type: 'Bearer', expires_in: 300, scope: grant.asked.scope, id_token: idToken }
      return json({ access_token: accessToken, ...more })
    }
    const scope = (grant.asked.scope ?? '').split(/[ ,]+/).join(',')
    const answer = { access_token: accessToken, scope, token_type: 'bearer' }
    if (heard.headers.accept?.includes('application/json')) return json(answer)
    const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    return { status: 200, headers: form, body: new URLSearchParams(answer).toString() }
  }

  #idToken({ asked, person, sid, authTime }: Grant, accessToken: string): Promise<string> {
    const own = {
      iss: issuerOf(this.kind, this.url, this.tenant),
      aud: this.clientId,
      iat: seconds(),
      exp: seconds() + 300,
      auth_time: authTime,
      nonce: asked.nonce,
      sid,
      // Microsoft's token endpoint leaves it out.
      at_hash: this.kind === 'microsoft' ? undefined : leftHalf(accessToken),
    }
    const claims = defined({ ...claimsOf(this.kind, person, this.tenant), ...own })
    return this.#sign(
      this.lies.claims?.(claims) ?? claims,
      { typ: 'JWT' },
      this.lies.sign ?? honest,
      this.lies.header,
    )
  }

  async #sign(
    claims: Claims | string,
    header: Claims,
    sign: Sign,
    lie = (honest: Claims) => honest,
  ): Promise<string> {
    const key = this.keys[0] as ProviderKey
    const payload = typeof claims === 'string' ? claims : JSON.stringify(claims)
    const whole = defined(lie({ alg: key.alg, kid: key.kid, ...header }))
    return sign({ header: whole, payload, key, clientSecret: this.clientSecret })
  }

  #about(endpoint: 'userinfo' | 'emails', { headers }: Heard): Answer {
    const github = this.kind === 'github'
    if (github && headers['user-agent'] === undefined) return json({ message: 'Request forbidden' }, 403)
    const grant = this.#tokens.get(/^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? '')
    if (!grant)
      return json(github ? { message: 'Bad credentials', status: '401' } : { error: 'invalid_token' }, 401)
    if (endpoint === 'userinfo' && github) return json(githubUser(grant.person, this.url))
    if (endpoint === 'userinfo') return json(grant.person)
    const allowed = /(^|[ ,])user(:email)?([ ,]|$)/.test(grant.asked.scope ?? '')
    return allowed ? json(this.emails ?? githubEmails(grant.person)) : json({ message: 'Not Found' }, 404)
  }
}
