/** Who is signed in: their account and tenants, their password, their devices. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { type Html, html } from '../../core/html.js'
import type { Page as PageOfList } from '../../core/page.js'
import type { Principal } from '../../core/principal.js'
import { deviceName } from '../../sessions/device-name.js'
import type { OwnSessions } from '../../sessions/own.js'
import type { ListedSession } from '../../sessions/revocations.js'
import type { Live } from '../../sessions/sessions.js'
import type { MembershipStore, Place } from '../../tenants/tenants.js'
import type { AccountHandlers } from '../handlers/account.js'
import { isRecentlyAuthenticated } from '../middleware/fresh-proof.js'
import { signedIn } from '../middleware/signed-in.js'
import { page, pageRequest, sessionListForm } from '../shapes/lists.js'
import { Id, Password, SessionHandle } from '../shapes/schemas.js'
import { beside, type Frame, parameter, stepUpFor } from './frame.js'
import {
  buttonForm,
  type Fault,
  field,
  hidden,
  newPasswordField,
  nothing,
  type Page,
  usernameOf,
} from './layout.js'
import { ago, day } from './times.js'

export interface AccountParts {
  readonly memberships: Pick<MembershipStore, 'placesOf'>
  readonly ownSessions: OwnSessions
  readonly passwordMinLength: number
}

/** What a page that leads to another one has to say there. */
const done = new Map([
  ['welcome', 'Welcome. You are signed in.'],
  ['joined', 'Welcome. You are now a member.'],
  ['password', 'Your password was changed, and your other devices were signed out.'],
  ['device', 'The device was signed out.'],
  ['devices', 'All other devices were signed out.'],
])

export function accountPages(
  app: FastifyInstance,
  frame: Frame,
  acts: AccountHandlers,
  parts: AccountParts,
): void {
  const { memberships, ownSessions, passwordMinLength } = parts
  const told = (request: FastifyRequest) => done.get(String(parameter(request, 'done')))

  frame.get(app, '/', request => home(request))
  frame.post(app, '/tenant', {
    fields: { tenant: Type.Union([Id, Type.Literal('')]) },
    async work(request, _reply, { tenant }) {
      await acts.switchTenant(request, tenant || null)
      return '/'
    },
    again: (fault, request) => home(request, fault),
  })

  frame.get(app, '/password', request => changePassword(passwordMinLength, signedIn(request).live))
  frame.post(app, '/password', {
    fields: { current_password: Password, new_password: Password },
    async work(request, reply, form) {
      await acts.changePassword(request, reply, form)
      return '/?done=password'
    },
    again: (fault, request) => changePassword(passwordMinLength, signedIn(request).live, fault),
  })

  frame.get(app, '/devices', request => devices(request))
  frame.post(app, '/devices/end', {
    fields: { session: SessionHandle },
    async work(request, reply, { session }) {
      if (!isRecentlyAuthenticated(signedIn(request).live)) return stepUpFor('/devices')
      await acts.endDevice(request, reply, session)
      const own = session === signedIn(request).credential.id
      return own ? '/sign-in?signed_out=1' : '/devices?done=device'
    },
    again: (fault, request) => devices(request, fault),
  })
  frame.post(app, '/devices/end-others', {
    fields: {},
    async work(request, reply) {
      if (!isRecentlyAuthenticated(signedIn(request).live)) return stepUpFor('/devices')
      await acts.endOtherDevices(request, reply)
      return '/devices?done=devices'
    },
    again: (fault, request) => devices(request, fault),
  })

  async function home(request: FastifyRequest, fault?: Fault): Promise<Page> {
    const { live } = signedIn(request)
    const { user, tenant } = live.principal
    const joined = parameter(request, 'done') === 'joined' && typeof tenant === 'object'
    const done = joined ? `Welcome. You are now a member of ${tenant.name}.` : told(request)
    return { ...account(live, await memberships.placesOf(user)), fault, done }
  }

  async function devices(request: FastifyRequest, fault?: Fault): Promise<Page> {
    const { live } = signedIn(request)
    const after = parameter(request, 'after')
    const wanted = pageRequest(typeof after === 'string' ? { cursor: after } : {}, sessionListForm)
    const listed = await ownSessions.list(live.principal, wanted)
    return { ...deviceList(live, listed), fault, done: told(request) }
  }
}

function account({ principal, profile }: Live, places: readonly Place[]): Page {
  const current = principal.tenant
  const nowhere = current === 'none'
  const switches = [
    ...places
      .filter(({ tenant }) => nowhere || current === 'lost' || tenant !== current.id)
      .map(({ tenant, name }) => row(name, switchForm(name, tenant))),
    ...(nowhere ? [] : [row('No tenant', switchForm('no tenant', ''))]),
  ]
  return {
    title: 'Your account',
    wide: true,
    body: html`<dl>
${profile.name === null ? nothing : fact('Name', profile.name)}
${fact('Email address', profile.email)}
${switches.length === 0 ? nothing : fact('Current tenant', inWords(current))}
</dl>
${switches.length === 0 ? nothing : html`<h2>Switch tenant</h2><ul class="rows">${switches}</ul>`}
<h2>Security</h2>
<ul class="rows">
<li><a href="/devices">Your devices</a></li>
<li><a href="/sign-in-methods">Your sign-in methods</a></li>
<li><a href="/second-factors">Your second factors</a></li>
<li><a href="/password">Change your password</a></li>
</ul>
${buttonForm('/sign-out', 'Sign out')}`,
  }
}

function inWords(tenant: Principal['tenant']): string {
  if (tenant === 'none') return 'None'
  if (tenant === 'lost') return 'A tenant that you are no longer a member of'
  return tenant.roles.length > 0 ? `${tenant.name} (${tenant.roles.join(', ')})` : tenant.name
}

const fact = (term: string, text: string) => html`<div><dt>${term}</dt><dd>${text}</dd></div>`

const switchForm = (name: string, tenant: string) =>
  buttonForm('/tenant', html`Switch<span class="unseen"> to ${name}</span>`, hidden('tenant', tenant))

const row = (name: string, more: Html) => html`<li><span class="grow">${name}</span>${more}</li>`

function changePassword(minLength: number, { profile }: Live, fault?: Fault): Page {
  const wrong = beside(fault, { wrong_password: 'current_password', weak_password: 'new_password' })
  return {
    title: 'Change your password',
    lead: 'This signs out your other devices.',
    fault: wrong,
    body: html`<form method="post" action="/password">
${usernameOf(profile.email)}
${field({ name: 'current_password', label: 'Current password', type: 'password', autocomplete: 'current-password', first: true }, wrong)}
${newPasswordField('new_password', minLength, wrong)}
<button>Change password</button>
</form>
<p class="other"><a href="/">Back to your account</a></p>`,
  }
}

function deviceList({ principal, now }: Live, listed: PageOfList<ListedSession>): Page {
  const { items, next_cursor: next } = page(listed, one => device(one, one.id === principal.session, now))
  return {
    title: 'Your devices',
    lead: 'These devices are signed in to your account. Sign out any that you don’t recognize or no longer use.',
    wide: true,
    body: html`<ul class="rows">
${items}
</ul>
${next === null ? nothing : html`<p class="other"><a href="/devices?after=${next}">More devices</a></p>`}
${listed.items.some(({ id }) => id !== principal.session) ? buttonForm('/devices/end-others', 'Sign out all other devices') : nothing}
<p class="other"><a href="/">Back to your account</a></p>`,
  }
}

function device({ id, userAgent, address, createdAt, lastSeenAt }: ListedSession, own: boolean, now: number) {
  const name = deviceName(userAgent) ?? 'Unknown device'
  const used = own ? 'In use now' : `Last used ${ago(now - lastSeenAt)}`
  const button = own
    ? html`<span class="badge">This device</span>`
    : buttonForm(
        '/devices/end',
        html`Sign out<span class="unseen"> ${name}, ${used.toLowerCase()}</span>`,
        hidden('session', id),
      )
  return html`<li><div class="grow"><strong>${name}</strong>
<p class="hint">${used}</p>
<p class="hint">Signed in on ${day(createdAt)}${address === '' ? '' : ` from ${address}`}</p></div>
${button}</li>`
}
