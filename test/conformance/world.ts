/** What a conformance suite needs of a back end: its stores, and ways to bring about what the contracts speak of. */

import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { FactorResets } from '../../src/accounts/factor-resets.js'
import type { FactorStore } from '../../src/accounts/factors.js'
import type { PasskeyStore } from '../../src/accounts/passkeys.js'
import type { PendingSignIns } from '../../src/accounts/pending-sign-ins.js'
import type { RedemptionStore } from '../../src/accounts/redemptions.js'
import type { AccountStore, PasswordChange } from '../../src/accounts/store.js'
import type { UserStore } from '../../src/accounts/users.js'
import type { Actor, AuditLog, RequestContext } from '../../src/audit/events.js'
import type { Authority, AuthorityStore } from '../../src/core/authority.js'
import { type EmailAddress, parseEmailAddress } from '../../src/core/email-address.js'
import type { Identity, ServiceKeyId, SessionId, TenantId, UserId } from '../../src/core/principal.js'
import type { KeyReads } from '../../src/core/service-key.js'
import type { KeyRingStore } from '../../src/keys/store.js'
import type { Credential } from '../../src/sessions/credential.js'
import type { Revocations } from '../../src/sessions/revocations.js'
import { judge } from '../../src/sessions/sessions.js'
import type { NewSession, SessionStore, Successor } from '../../src/sessions/store.js'
import type { Queries } from '../../src/store/postgres/database.js'
import type { SessionsWithin } from '../../src/store/postgres/sessions-within.js'
import type { Application, ApplicationStore, NewApplication } from '../../src/tenants/applications.js'
import type { InvitationStore } from '../../src/tenants/invitations.js'
import type { ServiceKeyStore } from '../../src/tenants/service-keys.js'
import type { MembershipStore, TenantStore } from '../../src/tenants/tenants.js'

export interface World {
  readonly sessions: SessionStore
  readonly revocations: Revocations
  readonly accounts: AccountStore
  readonly within: SessionsWithin
  /** Of another store, for what it does with sessions. */
  transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T>
  readonly applications: ApplicationStore
  readonly users: UserStore
  readonly tenants: TenantStore
  readonly memberships: MembershipStore
  readonly authorities: AuthorityStore
  readonly invitations: InvitationStore & RedemptionStore
  readonly serviceKeys: ServiceKeyStore & KeyReads
  readonly factors: FactorStore
  readonly factorResets: FactorResets
  readonly pendingSignIns: PendingSignIns
  readonly passkeys: PasskeyStore
  readonly keys: KeyRingStore
  readonly audit: AuditLog
  readonly arrange: Arrange
  /** A touch takes no lock, and needs none: it moves last-seen of the row that was read, and of no other. */
  readonly touchesWhatIsHeld?: boolean
  /** How many sessions ended by an epoch is not said. */
  readonly countsNone?: boolean
}

/** Time passes and operators act: everything here is done and committed when the call returns. */
export interface Arrange {
  /** The clock that the back end judges by, in seconds. */
  now(): Promise<number>
  disable(user: UserId): Promise<void>
  enable(user: UserId): Promise<void>
  /** Somebody has shown that the account's address is theirs. */
  verify(user: UserId): Promise<void>
  replaceUserEpoch(user: UserId): Promise<void>
  replaceServiceEpoch(): Promise<void>
  /** Shifts times of the row into the past. */
  age(session: SessionId, by: { readonly idle?: number; readonly absolute?: number }): Promise<void>
  ageLink(tokenHash: Buffer, seconds: number): Promise<void>
  /** Moves the proof of the session, and its secret's renewal, into the past. */
  ageProof(session: SessionId, seconds: number): Promise<void>
  /** Shifts times of a service key into the past. */
  ageKey(key: ServiceKeyId, by: { readonly expiry?: number; readonly use?: number }): Promise<void>
  enterTenant(session: SessionId, tenant: TenantId | null): Promise<void>
  /** What stands in the row, as text: for "nothing was changed". Undefined: there is none. */
  rowOf(session: SessionId): Promise<string | undefined>
  /** Whether it ended, and why. */
  endOf(session: SessionId): Promise<string | null>
  sessionCount(): Promise<number>
  passwordChangedAt(user: UserId): Promise<number>
  tenant(name: string, roles?: object): Promise<TenantId>
  setTenantState(tenant: TenantId, state: 'active' | 'suspended'): Promise<void>
  member(
    user: UserId,
    tenant: TenantId,
    roleIds: readonly string[],
    state?: 'active' | 'suspended',
  ): Promise<void>
  setApplicationState(clientId: string, state: 'enabled' | 'disabled'): Promise<void>
  removeOrigin(origin: string): Promise<void>
  /** So many seconds pass for all keys. */
  ageKeys(seconds: number): Promise<void>
  /** While another transaction holds what is named here, runs `work`; the hold ends when `work` returns. */
  whileHeld(what: Held, work: () => Promise<void>): Promise<void>
  /** Everything in the audit log, oldest first. */
  audited(): Promise<AuditRow[]>
  /** While nothing can be added to the audit log, runs `work`. */
  whileAuditRefuses(work: () => Promise<void>): Promise<void>
  /** Resolves when that many statements wait for locks. */
  waiters(count: number): Promise<void>
}

export interface AuditRow {
  readonly action: string
  readonly outcome: string
  readonly reason: string | null
  readonly actor: string | null
  readonly serviceKey: string | null
  readonly tenant: string | null
  readonly subject: string | null
  readonly session: string | null
  readonly address: string | null
  readonly requestId: string | null
}

export type Held =
  | { session: SessionId }
  | { user: UserId }
  | { link: Buffer }
  | { writesOf: 'application_origins' }

export type OpenWorld = (t: Test) => Promise<World>

export const random = (bytes: number) => randomBytes(bytes)
/** What a session goes on under when its person proves themselves again. */
export const successor = (): Successor => ({ id: sessionId(), secretHash: random(32) })
export const sessionId = () => randomBytes(16).toString('base64url') as SessionId

export function address(text = `person.${randomBytes(6).toString('hex')}@example.com`): EmailAddress {
  const parsed = parseEmailAddress(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`)
  return parsed.address
}

/** A person with a password of version 1. */
export async function person(world: World, email = address()) {
  const made = await world.users.create({ email, name: 'Ada Lovelace', phc: 'phc-1' }, byOperator)
  if (typeof made === 'string') throw new Error(`${email.canonical} is taken`)
  return { user: made.id, email }
}

/** Where every change of these suites comes from. */
export const context: RequestContext = {
  requestId: 'b2a1c0de-0000-4000-8000-000000000001',
  address: '2001:db8::1',
}

/** In one word whether an application was made. */
export async function register(
  { applications }: Pick<World, 'applications'>,
  application: NewApplication,
): Promise<'created' | Exclude<Awaited<ReturnType<ApplicationStore['create']>>, Application>> {
  const answer = await applications.create(application, byOperator)
  return typeof answer === 'object' && 'clientId' in answer ? 'created' : answer
}

/** A request of this person, allowed by what they hold in the moment of the change and by nothing else. */
export const byCaller = (person: UserId, tenant?: TenantId): Actor => ({
  user: person,
  context,
  authorized: {
    caller: { person, session: sessionId(), confirm: async () => {} },
    ...(tenant !== undefined && { tenant }),
    judge: async held => held as Authority,
  },
})

/** By the person, and by an operator's command. */
export const byPerson = (user: UserId): Actor => ({ user, context })
export const byOperator: Actor = {
  user: undefined,
  context: { requestId: undefined, address: undefined },
}

export const identityOf = (user: UserId, version = 1): Identity => ({
  user,
  amr: ['pwd'],
  acr: 'aal1',
  credential: { kind: 'password', version },
})

export function newSession(user: UserId, more: Partial<NewSession> = {}): NewSession {
  return {
    id: sessionId(),
    secretHash: random(32),
    identity: identityOf(user),
    device: { userAgent: 'Firefox/140 "quoted" \\ Ünïcode', address: '2001:db8::1' },
    idleSeconds: 1234,
    absoluteSeconds: 56_789,
    most: 100,
    context,
    ...more,
  }
}

/** The live sessions of a person, of whom these suites open fewer than a page holds. */
export async function listOf({ revocations }: World, user: UserId) {
  const { items } = await revocations.list(user, { limit: 100, after: undefined })
  return items
}

/** Opens one and insists on it. */
export async function opened(world: World, user: UserId, more: Partial<NewSession> = {}) {
  const session = newSession(user, more)
  const answer = await world.sessions.open(session)
  if (typeof answer === 'string') throw new Error('the session was not opened')
  return { ...session, ...answer.opened }
}

/** The same session after a renewal, a changed password or the end of all others: what it is called from then on. */
export function goesOn<Own extends { readonly id: SessionId; readonly secretHash: Buffer }>(
  own: Own,
  next: Successor,
  id: SessionId,
): Own {
  return { ...own, id, secretHash: next.secretHash }
}

/** Changes the password, and answers in one word what came of it. */
export async function changed(world: World, change: PasswordChange) {
  const answer = await world.accounts.changePassword(change)
  return typeof answer === 'string' ? answer : 'changed'
}

/** What presenting this secret is answered with. */
export async function goneOf(
  world: World,
  { id, secretHash }: { readonly id: SessionId; readonly secretHash: Buffer },
) {
  const presented = { id, secret: { hash: () => secretHash } } as unknown as Credential
  const resumed = judge(presented, await world.sessions.read(id))
  return 'gone' in resumed ? resumed.gone : 'live'
}

/** What ending so many by an epoch answers. */
export const count = ({ countsNone }: World, ended: number) => (countsNone ? {} : { ended })

/** A new proof: the session under its new secret, and under its new id where there is one. */
export async function renewed<Own extends Awaited<ReturnType<typeof opened>>>(world: World, own: Own) {
  const next = successor()
  const { id, secretHash: provenSecretHash, identity } = own
  const answer = await world.sessions.renew({ id, provenSecretHash, next, identity, context })
  if (typeof answer === 'string') throw new Error('the session was not renewed')
  return goesOn(own, next, answer.renewed.id)
}

/** Whether a session may be used, in the words of the row. */
export async function liveness(world: World, id: SessionId) {
  const { row } = await world.sessions.read(id)
  if (!row) return 'none'
  if (!row.userActive) return 'disabled'
  if (row.ended) return 'ended'
  if (!row.epochsCurrent) return 'old epoch'
  if (row.pastAbsolute) return 'past absolute'
  return row.pastIdle ? 'past idle' : 'live'
}

export const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)))
