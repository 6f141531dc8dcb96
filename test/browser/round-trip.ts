/** What people do with a real provider on the hosted pages, in a real browser: the same for every provider. */
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { person } from '../harness/world.js'
import { commandLineWithInput } from '../support/command.js'
import { goodPassword } from '../support/service.js'
import { picture, type World } from './world.js'

export interface RealProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  close(): Promise<void>
}

export interface RealWorld {
  readonly name: string
  readonly provider: RealProvider
  /** Fills in the provider's own form, on the page that shows it. */
  readonly fillIn: (page: Page, email: string) => Promise<void>
  /** Whether the page is the provider's form. */
  readonly isForm: (page: Page) => Promise<void>
  /** Ends the provider's session of this person, there. */
  readonly endThere: (email: string) => Promise<void>
}

const press = (page: Page, name: string) => page.getByRole('button', { name }).first().click()
const follow = (page: Page, name: string) => page.getByRole('link', { name }).first().click()
const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true }).waitFor()
const fill = (page: Page, label: string, value: string) => page.getByLabel(label, { exact: true }).fill(value)

/** Where the provider must send people back to, and tell of ended sessions. */
export function addressesOf({ issuer }: World) {
  return {
    redirectUri: `${issuer}/v1/federation/real/callback`,
    backchannelLogoutUri: `${issuer}/v1/federation/real/back-channel-logout`,
  }
}

/** Ada has a verified address and no account; Bob's address is not verified, and he has an account here. */
export async function roundTrip(t: Test, world: World, real: RealWorld): Promise<void> {
  const { service, issuer } = world
  const { provider, name, fillIn, isForm, endThere } = real
  const { sql } = service.database
  const shot = (page: Page, what: string) => picture(page, `${name.toLowerCase()}-${what}`)

  const say = await commandLineWithInput(t, service.database, `${service.folder}/keys`, { ISSUER: issuer })
  const added = await say(
    `${provider.clientSecret}\n`,
    ...['providers', 'add', 'real', '--name', name, '--issuer', provider.issuer],
    ...['--client-id', provider.clientId, '--client-secret-stdin', '--sign-up', 'open'],
    ...['--claim', 'name=name', '--counts-as-proof'],
  )
  t.equal(added.code, 0, added.err)
  t.match(added.out, addressesOf(world).redirectUri, 'one command, and it says what to register there')

  const adas = await world.browser()
  t.teardown(() => adas.close())
  const ada = await adas.newPage()
  const blocked: string[] = []
  ada.on('console', message => {
    if (/Content Security Policy/.test(message.text())) blocked.push(message.text())
  })
  await ada.goto(`${issuer}/sign-in`)
  await shot(ada, '1-sign-in')
  await follow(ada, `Continue with ${name}`)
  await isForm(ada)
  await fillIn(ada, 'ada@example.com')
  await heading(ada, 'Your account')
  t.equal(ada.url(), `${issuer}/`)
  t.match(await ada.locator('main').innerText(), /Ada Lovelace[\s\S]*ada@example\.com/)
  await follow(ada, 'Your sign-in methods')
  await heading(ada, 'Your sign-in methods')
  await shot(ada, '2-ways-to-sign-in')
  t.match(await ada.locator('main').innerText(), new RegExp(`${name}[\\s\\S]*ada@example\\.com, linked on`))

  // Another device of hers is ended: that needs a fresh proof, which only the provider can give.
  const phone = await world.browser()
  t.teardown(() => phone.close())
  const other = await phone.newPage()
  await other.goto(`${issuer}/v1/federation/real?return_to=/devices`)
  await isForm(other)
  await fillIn(other, 'ada@example.com')
  await heading(other, 'Your devices')
  await sql`update sessions set auth_time = now() - interval '1 hour'`
  await ada.goto(`${issuer}/devices`)
  await press(ada, 'Sign out all other devices')
  await heading(ada, 'Confirm that it’s you')
  await shot(ada, '3-step-up')
  await press(ada, `Confirm with ${name}`)
  await isForm(ada)
  await fillIn(ada, 'ada@example.com')
  await heading(ada, 'Your devices')
  await press(ada, 'Sign out all other devices')
  await ada.getByText('All other devices were signed out.').waitFor()
  await other.reload()
  await heading(other, 'Sign in')

  // Bob's address is not verified there: it lets him in only once he has linked it, with his password.
  const { id: user } = await person(sql)
  const email = 'bob@example.com'
  await sql`update users set email = ${email}, canonical_email = ${email}, address_verified_by = 'sign-up' where id = ${user}`
  const bobs = await world.browser()
  t.teardown(() => bobs.close())
  const bob = await bobs.newPage()
  await bob.goto(`${issuer}/sign-in`)
  await follow(bob, `Continue with ${name}`)
  await fillIn(bob, 'bob@example.com')
  await heading(bob, `${name} can’t sign you in yet`)
  await shot(bob, '4-not-verified')
  await follow(bob, `Sign in and link ${name}`)
  await fill(bob, 'Email address', 'bob@example.com')
  await fill(bob, 'Password', goodPassword)
  await press(bob, 'Sign in')
  await heading(bob, 'Your sign-in methods')
  await press(bob, 'Link')
  await bob.getByText('The provider was linked').waitFor()
  await shot(bob, '5-linked')
  await bob.goto(`${issuer}/sign-out`)
  await press(bob, 'Sign out')
  await heading(bob, 'Sign in')
  await follow(bob, `Continue with ${name}`)
  await heading(bob, 'Your account')
  const sessions =
    await sql`select count(*)::int as live from sessions where user_id = ${user} and ended_at is null`
  t.ok(sessions[0]?.live >= 1, 'he is the person that he was')

  // Ended there, ended here, at the next click.
  await endThere('ada@example.com')
  await ada.reload()
  await heading(ada, 'Sign in')
  await bob.reload()
  await heading(bob, 'Your account')
  t.same(blocked, [], 'no policy of ours was in the way')
}
