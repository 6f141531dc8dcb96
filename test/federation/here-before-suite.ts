/** After the first verification of an address nothing opens anything that was there before, wherever sessions lie. */
import { type Test, test } from 'tap'
import { goodPassword, type TestServiceOptions } from '../support/service.js'
import {
  type Case,
  digIn,
  type Foothold,
  freshCase,
  mailOf,
  openStage,
  plants,
  type Stage,
  verifications,
} from './here-before.js'
import { statusOf } from './witness.js'
import type { Visitor } from './world.js'

export function hereBeforeSuite(
  where: string,
  envOf: (t: Test) => Promise<Pick<TestServiceOptions, 'env'>>,
): void {
  test(`${where}: whoever was here before the person is out once the address is verified`, async t => {
    const stage = await openStage(t, await envOf(t))
    for (const plant of plants)
      for (const verification of verifications) {
        const one = await freshCase(stage)
        const foothold = await plant.plant(stage, one)
        if (verification.notAfter?.(plant, foothold)) continue
        await t.test(`${plant.what}; then ${verification.what}`, async t => {
          const dug = await digIn(stage, one, foothold)
          for (const visitor of dug.visitors) t.equal(await statusOf(visitor), 200, 'they were in')
          const ada = await verification.verify(stage, one, dug)
          const { user } = (await ada.scripts.get('/v1/session')).json()
          t.equal(user.email, one.email)
          await nothingOpens(t, stage, one, dug, user.id)
          await isHers(t, stage, ada, user.id)
          await isSaid(t, stage, one, dug, user.id, verification.how)
        })
      }
    const errors = stage.service.logLines.filter(line => line.includes('"level":50'))
    t.same(errors, [], 'nothing was unexpected')
  })
}

/** On either instance. */
async function nothingOpens(t: Test, stage: Stage, one: Case, dug: Foothold, user: string): Promise<void> {
  const { service, other, provider } = stage
  for (const at of [service, other]) {
    for (const { scripts } of dug.visitors) {
      const browser = at.browser().withCookie(scripts.cookie)
      t.equal((await browser.get('/v1/session')).statusCode, 401, 'a session')
      t.equal((await browser.post('/v1/token', { client_id: 'mintmark' })).statusCode, 401, 'no token for it')
    }
    const password = dug.password ?? goodPassword
    const tried = await at.browser().post('/v1/session', { email: one.email, password })
    t.equal(tried.statusCode, 401, 'a password')
    for (const sub of dug.subjects)
      for (const email of [one.email, `${one.sub.slice(5)}@evil.example`]) {
        provider.person = { sub, email, email_verified: true }
        const back = stage.visitor(at)
        await back.signIn('evil')
        t.not(await userOf(back), user, 'an identity')
      }
    for (const { route, token } of dug.links) {
      const answer = await at.browser().post(route, { token, password: goodPassword })
      t.equal(answer.json().code, 'link_invalid', `a link at ${route}`)
    }
  }
  for (const { visitor, callback } of dug.comingBack) {
    const before = visitor.cookies.get('__Host-session')
    await visitor.open(callback)
    t.not(await userOf(visitor), user, 'a flow under way')
    if (before !== undefined) visitor.cookies.set('__Host-session', before)
  }
}

async function userOf(visitor: Visitor): Promise<string | undefined> {
  return (await visitor.scripts.get('/v1/session')).json().user?.id
}

/** What she has now is hers alone. */
async function isHers(t: Test, stage: Stage, ada: Visitor, user: string): Promise<void> {
  const { sql } = stage.service.database
  t.equal(await statusOf(ada), 200)
  t.equal(await statusOf(ada.at(stage.service)), 200, 'on the other instance as well')
  const identities = await sql`select provider_id from federated_identities where user_id = ${user}`
  t.notOk(identities.some(({ provider_id: provider }) => provider === 'evil'))
  const [left] = await sql`select
    (select count(*)::int from federation_flows where user_id = ${user}) as flows,
    (select count(*)::int from invitations where inviter = ${user}) as invitations,
    (select count(*)::int from mail_links l join users u using (canonical_email) where u.id = ${user}) as links`
  t.same(left, { flows: 0, invitations: 0, links: 0 })
}

async function isSaid(t: Test, stage: Stage, one: Case, dug: Foothold, user: string, how: string) {
  const { sql } = stage.service.database
  const [row] = await sql`select address_verified_by as how from users where id = ${user}`
  t.equal(row?.how, how)
  const linked = dug.visitors.length > 0
  const events = await sql`select action, count(*)::int from audit_events
    where outcome = 'done' and (subject = ${user} and action in ('account.reclaimed', 'identity.unlinked')
      or action = 'invitation.withdrawn' and subject = any(${dug.sent}))
    group by 1 order by 1`
  const found = Object.fromEntries(events.map(({ action, count }) => [action, count]))
  t.equal(found['account.reclaimed'] ?? 0, linked ? 1 : 0)
  t.equal(found['identity.unlinked'] ?? 0, dug.subjects.length - dug.comingBack.length / 3)
  t.equal(found['invitation.withdrawn'] ?? 0, dug.sent.length)
  if (!linked) return
  const { text } = await mailOf(stage, one.email, /were removed$/)
  t.match(text, /sign-in with Evil/)
  if (dug.password === undefined) t.notMatch(text, /a password, /)
  else t.match(text, /a password, /)
}
