/** What verbs are tried on: people, sessions, tenants and the like, each verb's own, and a key that sees all of them. */
import { randomInt, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { newSecret } from '../../../src/core/secret.js'
import { secretSealedAs } from '../../../src/federation/provider.js'
import { loadKeyEncryptionKeys } from '../../../src/sealing/key-encryption-keys.js'
import { application, member, serviceKey, tenant } from '../../harness/world.js'
import { type HostileProvider, startHostileProvider } from '../../support/hostile-provider.js'
import type { Answer, Ask } from '../cluster/http.js'
import { type Person, person, type SeededSession, session } from '../people.js'
import type { Stage } from '../stage.js'
import { type Commands, startCommands } from './command-runner.js'
import type { Told } from './verb.js'

const issuer = 'http://localhost:4000'
const clientId = 'mintmark'
const clientSecret = 'a secret that only the two of them know'

interface Listed {
  readonly items: readonly { readonly id?: string; readonly kid?: string; readonly state: string }[]
}

export class World {
  readonly stage: Stage
  readonly #commands: Commands
  /** A service key that nothing here takes away. */
  readonly #watcher: string

  private constructor(stage: Stage, commands: Commands, watcher: string) {
    this.stage = stage
    this.#commands = commands
    this.#watcher = watcher
  }

  static async make(stage: Stage): Promise<World> {
    const commands = await startCommands(stage)
    stage.later(() => commands.close())
    return new World(stage, commands, (await serviceKey(stage.sql)).key)
  }

  get sql() {
    return this.stage.sql
  }

  /** Each time from another address: limits by address do not meet. */
  ask(ask: Ask): Promise<Answer> {
    const address = `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`
    return this.stage.cluster.http.ask(this.stage.at(1).port, { address, ...ask })
  }

  /** As an administrator, with a key that nothing here takes away. */
  asAdmin(ask: Ask): Ask {
    return { ...ask, bearer: this.#watcher }
  }

  async try(ask: Ask | readonly string[]): Promise<Told> {
    if (!('path' in ask)) return this.#commands.run(ask)
    const { status, body } = await this.ask(ask)
    const code = (body as { code?: string } | undefined)?.code
    const says = `${status} ${code ?? ''}`.trim()
    // A page says it in words.
    const unconfirmed = status === 503 && (code === 'not_confirmed' || code === undefined)
    return { answered: status !== 503, unconfirmed, says }
  }

  /** Whether this is accepted. Throws where nobody says yes or no. */
  async accepts(ask: Ask): Promise<boolean> {
    const { status, body } = await this.ask(ask)
    if (status < 300) return true
    if (status < 500 && status !== 429) return false
    throw new Error(`${ask.method} ${ask.path} is no question: ${status} ${JSON.stringify(body)}`)
  }

  lives(cookie: string): Promise<boolean> {
    return this.accepts({ method: 'GET', path: '/v1/session', cookie })
  }

  /** Whether this session may read documents in its tenant: by its role there, while the tenant is open to it. */
  async mayRead(cookie: string): Promise<boolean> {
    const { body } = await this.ask({ method: 'GET', path: '/v1/session', cookie })
    const { tenant } = body as { tenant: { permissions: readonly string[] } | null }
    return tenant?.permissions.includes('doc:read') === true
  }

  administers(who: Pick<Ask, 'cookie' | 'bearer'>): Promise<boolean> {
    return this.accepts({ method: 'GET', path: '/v1/admin/tenants', ...who })
  }

  /** Whether an administrator finds it in this list. */
  async lists(path: string, id: string): Promise<boolean> {
    const { items } = await this.#listed(path)
    return items.some(item => item.id === id)
  }

  async signingKeys() {
    return (await this.#listed('/v1/admin/signing-keys')).items as readonly { kid: string; state: string }[]
  }

  async #listed(path: string): Promise<Listed> {
    return (await this.ask(this.asAdmin({ method: 'GET', path }))).body as Listed
  }

  async offers(provider: string): Promise<{ counts_as_proof: boolean } | undefined> {
    const { body } = await this.ask({ method: 'GET', path: '/v1/federation' })
    const { providers } = body as { providers: { id: string; counts_as_proof: boolean }[] }
    return providers.find(({ id }) => id === provider)
  }

  person = (): Promise<Person> => person(this.sql)

  async session(whose: Person, tenant?: string, acr?: 'aal2'): Promise<SeededSession> {
    const { rows } = this.stage.cluster.sessionRedis ?? {}
    const where = { ...(tenant !== undefined && { tenant }), ...(rows && { rows }) }
    return session(this.sql, whose, { ...where, ...(acr && { acr }) })
  }

  /** Somebody who is signed in on two devices. */
  async twoDevices() {
    const me = await this.person()
    return { me, one: await this.session(me), other: await this.session(me) }
  }

  /** One of two: the last one stays. */
  async administrator() {
    const [me, other] = [await this.person(), await this.person()]
    await this.sql`update users set platform_roles = '{administrator}' where id in (${me.id}, ${other.id})`
    return { me, ...(await this.session(me)) }
  }

  /** Somebody who works in a tenant, where the role `reader` lets them read documents. */
  async worker() {
    const me = await this.person()
    const acme = await tenant(this.sql)
    const reader = randomUUID()
    await this
      .sql`update tenants set roles = roles - 'r1' || jsonb_build_object(${reader}::text, roles -> 'r1')
      where id = ${acme}`
    await member(this.sql, me.id, acme, reader)
    return { me, acme, reader, ...(await this.session(me, acme)) }
  }

  serviceKey() {
    return serviceKey(this.sql)
  }

  /** One that may ask for tokens of two audiences, and somebody's cookie to ask with. */
  async application() {
    const client = `app-${randomUUID()}`
    await application(this.sql, { clientId: client, audiences: ['api', 'reports'] })
    const { cookie } = await this.session(await this.person())
    const mints = () =>
      this.accepts({
        method: 'POST',
        path: '/v1/token',
        cookie,
        body: { client_id: client, audience: 'reports' },
      })
    return { client, mints }
  }

  async invitation(tenantId: string, email: string) {
    const token = newSecret()
    const [row] = await this.sql`
      insert into invitations (token_hash, tenant_id, email, canonical_email, role_ids, expires_at)
      values (${token.hash()}, ${tenantId}, ${email}, ${email}, '{member}', now() + interval '1 day') returning id`
    const id = String(row?.id)
    const isOpen = () => this.lists(`/v1/admin/tenants/${tenantId}/invitations`, id)
    return { id, token: token.reveal(), isOpen }
  }

  /** A provider that answers, and somebody whom it has signed in. */
  async signedInByProvider() {
    const at: HostileProvider = await startHostileProvider({ clientId, clientSecret })
    this.stage.later(() => at.close())
    const id = `p${randomUUID().slice(0, 8)}`
    const { keys } = await loadKeyEncryptionKeys(join(this.stage.cluster.folder, 'keys'))
    const { sealed, kekId } = keys.seal(Buffer.from(clientSecret), secretSealedAs(issuer, id))
    await this
      .sql`insert into providers (id, name, kind, issuer, client_id, sealed_secret, kek_id, scopes, counts_as_proof)
      values (${id}, ${id}, 'openid', ${at.issuer}, ${clientId}, ${sealed}, ${kekId}, '{openid}', true)`
    const me = await this.person()
    const mine = await this.session(me)
    const subject = at.person.sub
    const [identity] = await this
      .sql`insert into federated_identities (user_id, provider_id, issuer, subject, label)
      values (${me.id}, ${id}, ${at.issuer}, ${subject}, 'somebody') returning id`
    await this.sql`insert into federated_sessions
      (session_id, identity_id, provider_id, issuer, subject, provider_session, ends_at)
      values (${mine.id}, ${identity?.id}, ${id}, ${at.issuer}, ${subject}, 'theirs', now() + interval '30 days')`
    return { id, at, me, identity: String(identity?.id), cookie: mine.cookie }
  }
}
