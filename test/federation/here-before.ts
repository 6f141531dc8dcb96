/** Somebody was here before the person: every way to register an address, and every way to verify it. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { parseEmailAddress } from '../../src/core/email-address.js'
import { postgresUserStore } from '../../src/store/postgres/accounts/user-store.js'
import { Database } from '../../src/store/postgres/database.js'
import { goodPhc, invitation, member, serviceKey, tenant } from '../harness/world.js'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.js'
import {
  eventually,
  goodPassword,
  type TestService,
  type TestServiceOptions,
  testService,
  tokenIn,
} from '../support/service.js'
import {
  buttonOf,
  callbackFrom,
  clientId,
  clientSecret,
  type FederationWorld,
  federationWorld,
  operator,
  type Visitor,
} from './world.js'

export const victimPassword = 'words that only she knows'

export interface Stage extends FederationWorld {
  /** The provider of the world is `evil`: open, and authoritative for nothing. This one is the domain's own. */
  readonly corp: HostileProvider
  /** Declared authoritative by the test, after somebody was linked. */
  readonly late: HostileProvider
  readonly other: TestService
  readonly database: Database
}

/** One address: whose it is, and what lies in the mailbox. */
export interface Case {
  readonly email: string
  /** Who the attacker is at `evil`. */
  readonly sub: string
  /** Of a sign-up that was begun before there was an account. */
  readonly signUpToken: string
}

/** What opens something for the attacker. */
export interface Foothold {
  readonly visitors: Visitor[]
  readonly password?: string
  /** Subjects at `evil`. */
  readonly subjects: string[]
  /** Browsers that are about to come back from `evil`. */
  readonly comingBack: { readonly visitor: Visitor; readonly callback: string }[]
  /** Tokens, by the route that takes them. */
  readonly links: { readonly route: string; readonly token: string }[]
  /** Ids of invitations that the account has sent. */
  readonly sent: string[]
}

export async function openStage(t: Test, onto: Pick<TestServiceOptions, 'env'> = {}): Promise<Stage> {
  const world = await federationWorld(t, { id: 'evil', name: 'Evil', countsAsProof: true }, 'openid', onto)
  const corp = await startHostileProvider({ clientId, clientSecret })
  const late = await startHostileProvider({ clientId, clientSecret })
  const database = new Database(world.service.database.address, { connections: 2 })
  t.teardown(() => Promise.all([corp.close(), late.close(), database.close()]))
  const ofDomain = { signUp: 'domains', signUpDomains: ['example.com'] } as const
  const authoritativeFor = ['example.com']
  await world.add({ id: 'corp', name: 'Corp', issuer: corp.issuer, ...ofDomain, authoritativeFor })
  await world.add({ id: 'late', name: 'Late', issuer: late.issuer, signUp: 'off' })
  const other = await testService(t, { ...onto, beside: world.service })
  return { ...world, corp, late, other, database }
}

export async function freshCase({ service }: Stage): Promise<Case> {
  const name = randomUUID()
  const email = `${name}@example.com`
  await service.browser().post('/v1/sign-up', { email })
  return { email, sub: `evil ${name}`, signUpToken: tokenIn(await service.mailTo(email)) }
}

export const nothing = (): Foothold => ({ visitors: [], subjects: [], comingBack: [], links: [], sent: [] })

export interface Plant {
  readonly what: string
  /** Where the account is made: `file function`. The completeness test reads these. */
  readonly madeIn?: string
  readonly plant: (stage: Stage, one: Case) => Promise<Foothold>
}

/** Through `evil`, which says that the address is verified. */
async function throughEvil(stage: Stage, { email, sub }: Case): Promise<Foothold> {
  stage.provider.person = { sub, email, email_verified: true }
  const visitor = stage.visitor()
  await mustBe(303, visitor.signIn('evil'))
  return { ...nothing(), visitors: [visitor], subjects: [sub] }
}

const byProvider = 'identity-links.ts insertUser'
const byOperator = 'user-store.ts insertUser'

export const plants: readonly Plant[] = [
  { what: 'a sign-up is begun and left open', plant: async () => nothing() },
  {
    what: 'a provider makes the account, as it does for anybody',
    madeIn: byProvider,
    async plant(stage, one) {
      await stage.change({ signUp: 'open', signUpDomains: [] })
      return throughEvil(stage, one)
    },
  },
  {
    what: 'a provider makes the account, as it does for the domain',
    madeIn: byProvider,
    async plant(stage, one) {
      await stage.change({ signUp: 'domains', signUpDomains: ['example.com'] })
      return throughEvil(stage, one)
    },
  },
  {
    what: 'a provider makes the account, since the person was invited',
    madeIn: byProvider,
    async plant(stage, one) {
      await stage.change({ signUp: 'invitation', signUpDomains: [] })
      await invitation(stage.service.database.sql, one.email)
      return throughEvil(stage, one)
    },
  },
  {
    what: 'an operator makes the account with a password, and somebody else knows it',
    madeIn: byOperator,
    async plant({ database, visitor }, { email }) {
      const parsed = parseEmailAddress(email)
      if (!parsed.ok) throw new Error(email)
      const wanted = { email: parsed.address, name: undefined, phc: await goodPhc() }
      await postgresUserStore(database).create(wanted, operator)
      const own = visitor()
      await mustBe(303, own.submit('/sign-in', { email, password: goodPassword }))
      return { ...nothing(), visitors: [own], password: goodPassword }
    },
  },
  {
    what: 'an administrator makes the account without one',
    madeIn: byOperator,
    async plant({ service }, { email }) {
      const { key } = await serviceKey(service.database.sql)
      const headers = { authorization: `Bearer ${key}` }
      await mustBe(
        201,
        service.app.inject({ method: 'POST', url: '/v1/admin/users', headers, payload: { email } }),
      )
      return nothing()
    },
  },
]

/** From one session: other sessions, another identity, flows under way, an invitation of a friend, links. */
export async function digIn(stage: Stage, one: Case, foothold: Foothold): Promise<Foothold> {
  const { provider, service, other } = stage
  await stage.change({ signUp: 'open', signUpDomains: [] })
  const [first] = foothold.visitors
  const more = nothing()
  if (first) {
    provider.person = { sub: `${one.sub} 2`, email: `${one.sub.slice(5)}@evil.example`, email_verified: true }
    const on = await mustBe(200, first.submit('/sign-in-methods/link', { provider: 'evil' }))
    await mustBe(303, first.comeBack(buttonOf(on)))
    more.subjects.push(`${one.sub} 2`)
    const second = stage.visitor(other)
    await mustBe(303, second.signIn('evil'))
    const third = stage.visitor(other)
    const held = { sub: `${one.sub} 3` }
    for (const [subject, from, address] of [
      [provider.person, third, await third.go('evil')],
      [provider.person, second, buttonOf(await second.submit('/step-up/provider', { provider: 'evil' }))],
      [held, first, buttonOf(await first.submit('/sign-in-methods/link', { provider: 'evil' }))],
    ] as const) {
      provider.person = subject
      more.comingBack.push({ visitor: from, callback: await callbackFrom(address) })
    }
    more.subjects.push(held.sub)
    more.visitors.push(second)
    const { id, token: invited } = await invitedByIt(stage, first)
    more.sent.push(id)
    more.links.push({ route: '/v1/invitations/sign-up', token: invited })
    await service.browser().post('/v1/password/forgot', { email: one.email })
    const token = tokenIn(await mailOf(stage, one.email, /Choose a new password/))
    more.links.push({ route: '/v1/password/reset', token })
  }
  more.links.push({ route: '/v1/sign-up/verify', token: one.signUpToken })
  return {
    ...foothold,
    visitors: [...foothold.visitors, ...more.visitors],
    subjects: [...foothold.subjects, ...more.subjects],
    comingBack: more.comingBack,
    links: more.links,
    sent: more.sent,
  }
}

/** The account owns a tenant, and invites the attacker's own mailbox there. */
async function invitedByIt({ service }: Stage, { scripts }: Visitor) {
  const { sql } = service.database
  const here = await tenant(sql)
  const { user } = (await scripts.get('/v1/session')).json()
  await member(sql, user.id, here, 'owner')
  await mustBe(204, scripts.put('/v1/session/tenant', { tenant: here }))
  const friend = `${randomUUID()}@evil.example`
  const wanted = { email: friend, roles: ['member'] }
  const sent = await mustBe(201, scripts.post(`/v1/admin/tenants/${here}/invitations`, wanted))
  return { id: sent.json().id as string, token: tokenIn(await service.mailTo(friend)) }
}

export interface Verification {
  readonly what: string
  /** As the account says it afterwards. */
  readonly how: string
  /** Why it cannot be tried after this plant. */
  readonly notAfter?: (plant: Plant, foothold: Foothold) => string | undefined
  /** Answers a browser in which the person is signed in. */
  readonly verify: (stage: Stage, one: Case, foothold: Foothold) => Promise<Visitor>
}

const withoutAccount = ({ madeIn }: Plant) =>
  madeIn === undefined ? 'no mail goes to an address without an account' : undefined
const withoutSession = (_plant: Plant, { visitors }: Foothold) =>
  visitors.length === 0 ? 'nobody is signed in' : undefined

export const verifications: readonly Verification[] = [
  {
    what: 'a sign-up link',
    how: 'sign-up',
    async verify(stage, { signUpToken: token }) {
      const ada = stage.visitor(stage.other)
      await mustBe(303, ada.submit('/sign-up/verify', { token, password: victimPassword, name: 'Ada' }))
      return ada
    },
  },
  {
    what: 'an invitation',
    how: 'invitation',
    async verify(stage, { email }) {
      const ada = stage.visitor(stage.other)
      const token = await invitation(stage.service.database.sql, email)
      await mustBe(303, ada.submit('/invitations/sign-up', { token, password: victimPassword, name: 'Ada' }))
      return ada
    },
  },
  {
    what: 'a reset link',
    how: 'password-reset',
    notAfter: withoutAccount,
    async verify(stage, { email }) {
      // Somebody may have asked before: it is the mail of this request, whose link is saved in the background.
      const before = stage.service.mails.length
      await stage.service.browser().post('/v1/password/forgot', { email })
      return afterReset(stage, email, tokenIn(await mailOf(stage, email, /Choose a new password/, before)))
    },
  },
  {
    what: 'a welcome link',
    how: 'password-reset',
    notAfter: ({ what }) =>
      what === 'an administrator makes the account without one' ? undefined : 'no such mail is sent',
    verify: async (stage, { email }) =>
      afterReset(stage, email, tokenIn(await mailOf(stage, email, /^Your account at/))),
  },
  {
    what: 'a provider that is authoritative for the domain',
    how: 'provider',
    async verify(stage, { email }) {
      stage.corp.person = { sub: email, email, email_verified: true }
      const ada = stage.visitor(stage.other)
      await mustBe(303, ada.signIn('corp'))
      return ada
    },
  },
  {
    what: 'such a provider, linked in a browser in which the other one is signed in',
    how: 'provider',
    notAfter: withoutSession,
    async verify(stage, { email }, { visitors: [theirs] }) {
      stage.corp.person = { sub: email, email, email_verified: true }
      const ada = (theirs as Visitor).at(stage.other)
      const on = await mustBe(200, ada.submit('/sign-in-methods/link', { provider: 'corp' }))
      await mustBe(303, ada.comeBack(buttonOf(on)))
      return ada
    },
  },
  {
    what: 'a provider that was linked so, and is authoritative by now',
    how: 'provider',
    notAfter: withoutSession,
    async verify(stage, { email }, { visitors: [theirs] }) {
      stage.late.person = { sub: email, email, email_verified: true }
      await stage.store.change('late', { authoritativeFor: [] }, undefined, operator)
      const before = (theirs as Visitor).at(stage.other)
      const on = await mustBe(200, before.submit('/sign-in-methods/link', { provider: 'late' }))
      await mustBe(303, before.comeBack(buttonOf(on)))
      await stage.store.change('late', { authoritativeFor: ['example.com'] }, undefined, operator)
      const ada = stage.visitor(stage.other)
      await mustBe(303, ada.signIn('late'))
      return ada
    },
  },
]

async function afterReset(stage: Stage, email: string, token: string): Promise<Visitor> {
  const ada = stage.visitor(stage.other)
  await mustBe(200, ada.submit('/password/reset', { token, password: victimPassword }))
  await mustBe(303, ada.submit('/sign-in', { email, password: victimPassword }))
  return ada
}

/** The newest mail to this address with such a subject. */
export function mailOf({ service }: Stage, email: string, subject: RegExp, after = 0) {
  const isIt = (mail: { to: string; subject: string }) => mail.to === email && subject.test(mail.subject)
  return eventually(() => service.mails.slice(after).findLast(isIt), 20)
}

export async function mustBe<Answer extends { readonly statusCode: number; readonly body: string }>(
  status: number,
  answering: Promise<Answer>,
): Promise<Answer> {
  const answer = await answering
  if (answer.statusCode !== status) throw new Error(`${answer.statusCode}, not ${status}: ${answer.body}`)
  return answer
}
