/** Every way to a session, walked as a person walks it, and what its tokens must say of when the person authenticated. */
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import ts from 'typescript'
import { presets } from '../../src/federation/presets.js'
import type { ProviderChange } from '../../src/federation/provider.js'
import { type FederationWorld, federationWorld, type Visitor } from '../federation/world.js'
import { enrol } from '../support/enrolled.js'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.js'
import {
  device,
  secondStep as passkeySecondStep,
  signIn as passkeySignIn,
  stepUp as passkeyStepUp,
  prove,
  register,
} from '../support/passkeys.js'
import { root } from '../support/project.mjs'
import { goodPassword, type TestServiceOptions, tokenIn } from '../support/service.js'
import { freshAddress, link, session, tenant } from './world.js'

/** When the person authenticated: in this moment, an hour ago, or never in a way that counts. */
export type Authenticated = 'now' | 'an hour ago' | 'never'

export interface Way {
  readonly way: string
  /** The function in src/http that sets the cookie: `act` names it as `actsThatOpen` finds it. */
  readonly act: string
  readonly authenticated: Authenticated
  readonly acr?: 'aal2'
  /** Its session lies in Postgres, whatever is configured. */
  readonly inTable?: true
  readonly go: (world: WaysWorld) => Promise<Visitor>
}

export interface WaysWorld extends FederationWorld {
  readonly github: HostileProvider
}

export async function waysWorld(
  t: Test,
  onto: Pick<TestServiceOptions, 'database' | 'env'> = {},
): Promise<WaysWorld> {
  const world = await federationWorld(t, {}, 'openid', onto)
  const secret = 'a secret that only the two of them know'
  const github = await startHostileProvider({ clientId: 'mintmark', clientSecret: secret, kind: 'github' })
  t.teardown(() => github.close())
  const { scopes } = presets.github
  await world.add({ id: 'github', kind: 'github', issuer: github.url, scopes: [...scopes] }, secret)
  return { ...world, github }
}

const cookieName = '__Host-session'
const hour = 3600
const seconds = () => Math.floor(Date.now() / 1000)

/** A visitor in whose place scripts speak, so that its cookie is kept. */
async function speaking(visitor: Visitor, speak: (browser: Visitor['scripts']) => Promise<unknown>) {
  const { scripts } = visitor
  await speak(scripts)
  if (scripts.cookie === undefined) throw new Error('nobody is signed in')
  visitor.cookies.set(cookieName, scripts.cookie)
  return visitor
}

const said = async (answer: Promise<{ statusCode: number; body: string }>, status: number) => {
  const { statusCode, body } = await answer
  if (statusCode !== status) throw new Error(`${statusCode} ${body}`)
}

/** Somebody who signed up and is signed in. */
async function signedUp(world: WaysWorld, email = freshAddress()) {
  const { service } = world
  const { scripts } = world.visitor()
  await said(scripts.post('/v1/sign-up', { email }), 202)
  const token = tokenIn(await service.mailTo(email))
  const visitor = await speaking(world.visitor(), browser =>
    said(browser.post('/v1/sign-up/verify', { token, password: goodPassword }), 201),
  )
  return { visitor, email }
}

const signIn = (world: WaysWorld, email: string, password = goodPassword) =>
  speaking(world.visitor(), browser => said(browser.post('/v1/session', { email, password }), 201))

/** So that what was proved lies an hour back, whatever proved it. */
async function anHourLater(world: WaysWorld, visitor: Visitor): Promise<void> {
  const id = visitor.cookies.get(cookieName)?.split('.')[0] ?? ''
  await world.service.database
    .sql`update sessions set auth_time = auth_time - interval '1 hour' where id = ${id}`
}

async function reset(world: WaysWorld, email: string): Promise<string> {
  const password = 'quite other words now'
  const token = await link(world.service.database.sql, 'password-reset', email)
  await said(world.visitor().scripts.post('/v1/password/reset', { token, password }), 204)
  return password
}

/** Somebody who is signed in, and has an app since. */
async function withApp(world: WaysWorld) {
  const { service } = world
  const { visitor, email } = await signedUp(world)
  const [row] = await service.database.sql`select id from users where email = ${email}`
  return { visitor, email, factor: await enrol(service.database.sql, service, row?.id) }
}

/** The secret of a pending sign-in. */
async function afterPassword(world: WaysWorld, email: string): Promise<string> {
  const { scripts } = world.visitor()
  await said(scripts.post('/v1/session', { email, password: goodPassword }), 202)
  return String(scripts.pending)
}

/** Somebody with a passkey of their own. */
async function withPasskey(world: WaysWorld) {
  const { visitor, email } = await signedUp(world)
  const own = device({ origin: world.service.issuer })
  await speaking(visitor, browser => said(register(browser, own), 201))
  return { visitor, email, own }
}

async function administrator(world: WaysWorld): Promise<Visitor> {
  const { sql } = world.service.database
  const { visitor, email } = await signedUp(world)
  await sql`update users set platform_roles = '{administrator}' where email = ${email}`
  return visitor
}

const local: readonly Way[] = [
  {
    way: 'a sign-up link',
    act: 'handlers/account verifySignUp',
    authenticated: 'now',
    go: async world => (await signedUp(world)).visitor,
  },
  {
    way: 'an invitation',
    act: 'handlers/account signUpByInvitation',
    authenticated: 'now',
    async go(world) {
      const acme = await tenant(world.service.database.sql)
      const email = freshAddress()
      const { scripts } = await administrator(world)
      await said(scripts.post(`/v1/admin/tenants/${acme}/invitations`, { email, roles: ['member'] }), 201)
      const token = tokenIn(await world.service.mailTo(email))
      return speaking(world.visitor(), browser =>
        said(browser.post('/v1/invitations/sign-up', { token, password: goodPassword }), 201),
      )
    },
  },
  {
    way: 'a password',
    act: 'handlers/account signIn',
    authenticated: 'now',
    go: async world => signIn(world, (await signedUp(world)).email),
  },
  {
    way: 'the form of the sign-in page',
    act: 'handlers/account signIn',
    authenticated: 'now',
    async go(world) {
      const { email } = await signedUp(world)
      const visitor = world.visitor()
      await said(visitor.submit('/sign-in', { email, password: goodPassword }), 303)
      return visitor
    },
  },
  {
    way: 'a password that was reset by mail',
    act: 'handlers/account signIn',
    authenticated: 'now',
    async go(world) {
      const { email } = await signedUp(world)
      return signIn(world, email, await reset(world, email))
    },
  },
  {
    way: 'the welcome link of an account that an operator made',
    act: 'handlers/account signIn',
    authenticated: 'now',
    async go(world) {
      const email = freshAddress()
      const { scripts } = await administrator(world)
      await said(scripts.post('/v1/admin/users', { email }), 201)
      const token = tokenIn(await world.service.mailTo(email))
      await said(scripts.post('/v1/password/reset', { token, password: goodPassword }), 204)
      return signIn(world, email)
    },
  },
  {
    way: 'a step-up by password',
    act: 'handlers/account stepUp',
    authenticated: 'now',
    async go(world) {
      const { visitor } = await signedUp(world)
      await anHourLater(world, visitor)
      return speaking(visitor, browser =>
        said(browser.post('/v1/session/step-up', { password: goodPassword }), 200),
      )
    },
  },
  {
    way: 'a passkey alone',
    act: 'handlers/passkeys signIn',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { own } = await withPasskey(world)
      return speaking(world.visitor(), browser => said(prove(browser, passkeySignIn, own), 201))
    },
  },
  {
    way: 'a password, then a passkey',
    act: 'handlers/factors completeSignIn',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { own, email } = await withPasskey(world)
      return speaking(world.visitor(), async browser => {
        await said(browser.post('/v1/session', { email, password: goodPassword }), 202)
        await said(prove(browser, passkeySecondStep, own), 201)
      })
    },
  },
  {
    way: 'a step-up by passkey',
    act: 'handlers/account stepUp',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { own, visitor } = await withPasskey(world)
      await anHourLater(world, visitor)
      return speaking(visitor, browser => said(prove(browser, passkeyStepUp, own), 200))
    },
  },
  {
    way: 'a password and a code of an app',
    act: 'handlers/factors completeSignIn',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { email, factor } = await withApp(world)
      const pending = await afterPassword(world, email)
      return speaking(world.visitor(), async browser => {
        browser.pending = pending
        await said(browser.post('/v1/session/second-factor', { code: await factor.code() }), 201)
      })
    },
  },
  {
    way: 'a password and a recovery code',
    act: 'handlers/factors completeSignIn',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { email, factor } = await withApp(world)
      const pending = await afterPassword(world, email)
      return speaking(world.visitor(), async browser => {
        browser.pending = pending
        const [recovery_code] = factor.recoveryCodes
        await said(browser.post('/v1/session/second-factor', { recovery_code }), 201)
      })
    },
  },
  {
    way: 'a step-up by a code of an app',
    act: 'handlers/account stepUp',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { visitor, factor } = await withApp(world)
      await anHourLater(world, visitor)
      return speaking(visitor, async browser =>
        said(browser.post('/v1/session/step-up', { code: await factor.code() }), 200),
      )
    },
  },
  {
    way: 'a changed password of an account that has an app',
    act: 'handlers/account changePassword',
    authenticated: 'an hour ago',
    // There alone an hour passes; of a row in Redis the conformance suite says the same.
    inTable: true,
    async go(world) {
      const { visitor } = await withApp(world)
      await anHourLater(world, visitor)
      const change = { current_password: goodPassword, new_password: 'quite other words now' }
      return speaking(visitor, browser => said(browser.put('/v1/password', change), 204))
    },
  },
  {
    way: 'a changed password',
    act: 'handlers/account changePassword',
    authenticated: 'now',
    async go(world) {
      const { visitor } = await signedUp(world)
      await anHourLater(world, visitor)
      const change = { current_password: goodPassword, new_password: 'quite other words now' }
      return speaking(visitor, browser => said(browser.put('/v1/password', change), 204))
    },
  },
  {
    way: 'the end of all other sessions',
    act: 'handlers/account endOtherDevices',
    authenticated: 'now',
    async go(world) {
      const { visitor } = await signedUp(world)
      return speaking(visitor, browser => said(browser.delete('/v1/sessions'), 200))
    },
  },
  {
    way: 'a session of yesterday’s release that a provider opened',
    act: 'handlers/federation complete',
    authenticated: 'never',
    inTable: true,
    async go(world) {
      const { sql } = world.service.database
      const { email } = await signedUp(world)
      const [row] = await sql`select id from users where email = ${email}`
      const old = await session(sql, row?.id)
      await sql`update sessions set auth_time = to_timestamp(0), amr = '{fed}' where id = ${old.session}`
      const visitor = world.visitor()
      visitor.cookies.set(cookieName, old.cookie)
      return visitor
    },
  },
]

interface Declared {
  readonly what: string
  readonly change?: ProviderChange
  /** What the provider says beside, or instead. */
  readonly claims?: () => Record<string, unknown>
  readonly authenticated: Authenticated
  readonly acr?: 'aal2'
}

const counts = { countsAsProof: true }
/** Each in which a provider's word can count, and each in which what it says of the time is none. */
const declarations: readonly Declared[] = [
  { what: 'whose word does not count', authenticated: 'never' },
  {
    what: 'whose word does not count, whatever stands for aal2',
    change: { aal2: ['acr:phr', 'amr:mfa'] },
    claims: () => ({ acr: 'phr', amr: ['mfa'] }),
    authenticated: 'never',
  },
  { what: 'that counts', change: counts, authenticated: 'now' },
  {
    what: 'that counts and authenticated an hour ago',
    change: counts,
    claims: () => ({ auth_time: seconds() - hour }),
    authenticated: 'an hour ago',
  },
  {
    what: 'that counts, with a clock ahead of ours',
    change: counts,
    claims: () => ({ auth_time: seconds() + 20 }),
    authenticated: 'now',
  },
  ...[undefined, 0, 0.5].map(
    (auth_time): Declared => ({
      what: `that counts and says ${JSON.stringify(auth_time) ?? 'nothing'} of the time`,
      change: counts,
      claims: () => ({ auth_time }),
      authenticated: 'never',
    }),
  ),
  {
    what: 'that counts, its acr for aal2',
    change: { ...counts, aal2: ['acr:phr'] },
    claims: () => ({ acr: 'phr' }),
    authenticated: 'now',
    acr: 'aal2',
  },
  {
    what: 'that counts, its amr for aal2',
    change: { ...counts, aal2: ['amr:mfa'] },
    claims: () => ({ amr: ['pwd', 'mfa'] }),
    authenticated: 'now',
    acr: 'aal2',
  },
  {
    what: 'that counts, with an amr of its own words',
    change: counts,
    claims: () => ({ amr: ['', 'x'.repeat(64), 'x'.repeat(65), 'a "b" ü', '\u0000', 7, null, ['pwd']] }),
    authenticated: 'now',
  },
  {
    what: 'for a domain',
    change: { signUp: 'domains', signUpDomains: ['example.com'] },
    authenticated: 'never',
  },
]

const asDeclared = {
  ...counts,
  countsAsProof: false,
  aal2: [],
  signUp: 'open',
  signUpDomains: [],
  authoritativeFor: [],
} as const

async function through(world: WaysWorld, { change = {}, claims }: Partial<Declared>, email = freshAddress()) {
  await world.change({ ...asDeclared, ...change })
  world.provider.person = { sub: email, email, email_verified: true, name: 'Ada' }
  world.provider.lies = claims ? { claims: honest => ({ ...honest, ...claims() }) } : {}
  const visitor = world.visitor()
  await said(visitor.signIn(), 303)
  if (!visitor.cookies.has(cookieName)) throw new Error('the provider signed nobody in')
  return { visitor, email }
}

const byProvider: readonly Way[] = [
  ...declarations.map(
    (declared): Way => ({
      way: `a provider ${declared.what}`,
      act: 'handlers/federation complete',
      authenticated: declared.authenticated,
      ...(declared.acr && { acr: declared.acr }),
      go: async world => (await through(world, declared)).visitor,
    }),
  ),
  {
    way: 'a provider whose word does not count, and a code',
    act: 'handlers/factors completeSignIn',
    authenticated: 'now',
    acr: 'aal2',
    async go(world) {
      const { email } = await through(world, {})
      const { service } = world
      const [row] = await service.database.sql`select id from users where email = ${email}`
      const factor = await enrol(service.database.sql, service, row?.id)
      const visitor = world.visitor()
      await said(visitor.signIn(), 303)
      return speaking(visitor, async browser => {
        browser.pending = visitor.cookies.get('__Host-pending')
        await said(browser.post('/v1/session/second-factor', { code: await factor.code() }), 201)
      })
    },
  },
  {
    way: 'GitHub, which says nothing of the time',
    act: 'handlers/federation complete',
    authenticated: 'never',
    async go(world) {
      const email = freshAddress()
      const id = String(randomInt(2 ** 40))
      world.github.person = { sub: id, login: `u${id}`, email, email_verified: true }
      const visitor = world.visitor()
      await said(visitor.signIn('github'), 303)
      return visitor
    },
  },
  {
    way: 'a provider that is authoritative for the address of an account',
    act: 'handlers/federation complete',
    authenticated: 'never',
    async go(world) {
      const { email } = await signedUp(world)
      return (await through(world, { change: { authoritativeFor: ['example.com'] } }, email)).visitor
    },
  },
  {
    way: 'a provider, for who was invited',
    act: 'handlers/federation complete',
    authenticated: 'never',
    async go(world) {
      const acme = await tenant(world.service.database.sql)
      const email = freshAddress()
      const { scripts } = await administrator(world)
      await said(scripts.post(`/v1/admin/tenants/${acme}/invitations`, { email, roles: ['member'] }), 201)
      return (await through(world, { change: { signUp: 'invitation' } }, email)).visitor
    },
  },
  {
    way: 'a step-up at a provider that counts',
    act: 'handlers/federation complete',
    authenticated: 'now',
    async go(world) {
      const { visitor } = await through(world, {})
      await world.change(counts)
      const answer = await visitor.submit('/step-up/provider', { provider: 'acme' })
      const href = /<a class="button" href="([^"]+)"/.exec(answer.body)?.[1] ?? ''
      const address = href.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
      await said(visitor.comeBack(address), 303)
      return visitor
    },
  },
  {
    way: 'a provider first, then a password that was set by mail',
    act: 'handlers/account stepUp',
    authenticated: 'now',
    async go(world) {
      // Otherwise the mail would be the first to verify the address, and end the way by this provider.
      const trusted = { change: { authoritativeFor: ['example.com'] } }
      const { visitor, email } = await through(world, trusted)
      const password = await reset(world, email)
      const again = await through(world, trusted, email)
      visitor.cookies.set(cookieName, again.visitor.cookies.get(cookieName) ?? '')
      return speaking(visitor, browser => said(browser.post('/v1/session/step-up', { password }), 200))
    },
  },
]

export const ways: readonly Way[] = [...local, ...byProvider]

/** Every function in src/http that sets a session cookie, by itself or by `opened`, as `<file> <name>`. */
export function actsThatOpen(): string[] {
  const found = new Set<string>()
  const folder = join(root, 'src/http')
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const tree = ts.createSourceFile(
      name,
      readFileSync(join(folder, name), 'utf8'),
      ts.ScriptTarget.Latest,
      true,
    )
    const visit = (node: ts.Node, within: string): void => {
      const named =
        (ts.isMethodDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isPropertyAssignment(node)) &&
        node.name !== undefined
      const place = named ? node.name.getText() : within
      if (ts.isCallExpression(node) && /^(setSessionCookie|opened|admitted)$/.test(node.expression.getText()))
        found.add(`${name.replace(/\.ts$/, '')} ${place}`)
      ts.forEachChild(node, child => visit(child, place))
    }
    visit(tree, '')
  }
  return [...found].filter(act => !act.startsWith('middleware/opened ')).sort()
}
