/** The ways in that a user has: their password, and the providers they have linked. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LinkedIdentity } from '../../accounts/identities.js'
import { html } from '../../core/html.js'
import type { OfferedProvider } from '../../federation/store.js'
import type { FactorHandlers } from '../handlers/factors.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { Id } from '../shapes/schemas.js'
import { goingOn, ProviderId } from './federation.js'
import { type Frame, parameter, stepUpFor } from './frame.js'
import { buttonForm, type Fault, hidden, nothing, type Page } from './layout.js'
import { owesStepUp } from './second-factors.js'
import { day } from './times.js'

const done = new Map([
  ['linked', 'The provider was linked. You can now sign in with it.'],
  ['unlinked', 'The sign-in method was removed, and the devices signed in with it were signed out.'],
])

export function signInMethodPages(
  app: FastifyInstance,
  frame: Frame,
  acts: FederationHandlers,
  factors: FactorHandlers,
): void {
  const owes = async (request: FastifyRequest) => owesStepUp(request, await factors.list(request))

  frame.get(app, '/sign-in-methods', request => methods(request))
  frame.post(app, '/sign-in-methods/link', {
    fields: { provider: ProviderId },
    async work(request, reply, { provider }) {
      if (await owes(request)) return stepUpFor('/sign-in-methods')
      return goingOn(acts, request, reply, {
        provider,
        purpose: 'link',
        returnTo: undefined,
      })
    },
    again: (fault, request) => methods(request, fault),
  })
  frame.post(app, '/sign-in-methods/unlink', {
    fields: { identity: Id },
    async work(request, _reply, { identity }) {
      if (await owes(request)) return stepUpFor('/sign-in-methods')
      await acts.unlink(request, identity)
      return '/sign-in-methods?done=unlinked'
    },
    again: (fault, request) => methods(request, fault),
  })

  async function methods(request: FastifyRequest, fault?: Fault): Promise<Page> {
    const [{ linked, password }, offered] = await Promise.all([acts.waysOf(request), acts.offered()])
    return { ...list(linked, offered, password), fault, done: done.get(String(parameter(request, 'done'))) }
  }
}

function list(
  linked: readonly LinkedIdentity[],
  offered: readonly OfferedProvider[],
  password: boolean,
): Page {
  const free = offered.filter(({ id }) => !linked.some(({ provider }) => provider === id))
  return {
    title: 'Your sign-in methods',
    lead: 'You can sign in with any of these. Remove any that you don’t recognize.',
    wide: true,
    body: html`<ul class="rows">
<li><span class="grow"><strong>Password</strong></span>${
      password ? html`<a href="/password">Change</a>` : html`<a href="/password/forgot">Set one by email</a>`
    }</li>
${linked.map(way)}
</ul>
${
  free.length === 0
    ? nothing
    : html`<h2>Add another</h2>
<ul class="rows">${free.map(one => html`<li><span class="grow">${one.name}</span>${buttonForm('/sign-in-methods/link', html`Link<span class="unseen"> ${one.name}</span>`, hidden('provider', one.id))}</li>`)}</ul>`
}
<p class="other"><a href="/">Back to your account</a></p>`,
  }
}

function way({ id, providerName, providerEnabled, label, createdAt }: LinkedIdentity) {
  const off = providerEnabled ? nothing : html`<p class="hint">Turned off by the operator of this service</p>`
  return html`<li><div class="grow"><strong>${providerName}</strong>
<p class="hint">${label}, linked on ${day(createdAt)}</p>${off}</div>
${buttonForm('/sign-in-methods/unlink', html`Remove<span class="unseen"> ${providerName}, ${label}</span>`, hidden('identity', id))}</li>`
}
