/** Signing in and out, and proving oneself again. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { html } from '../../core/html.js'
import type { OfferedProvider } from '../../federation/store.js'
import type { AccountHandlers } from '../handlers/account.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { signedIn } from '../middleware/signed-in.js'
import { Email, Password } from '../shapes/schemas.js'
import { goingOn, ProviderId, providerButtons } from './federation.js'
import { beside, type Destination, type Frame, parameter, ReturnTo } from './frame.js'
import { buttonForm, type Fault, field, hidden, nothing, type Page, usernameOf } from './layout.js'

const currentPassword = (fault: Fault | undefined, first = false) =>
  field(
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', first },
    fault,
  )

export function signInPages(
  app: FastifyInstance,
  frame: Frame,
  acts: AccountHandlers,
  ways: FederationHandlers,
): void {
  frame.get(app, '/sign-in', async request => {
    const to = await frame.destination(request)
    const live = await frame.visitor(request)
    if (!live)
      return signIn(to, await ways.offered(), undefined, {
        signedOut: parameter(request, 'signed_out') === '1',
      })
    return to?.application ? goOn(to, live.profile.email) : (to?.address ?? '/')
  })

  frame.post(app, '/sign-in', {
    fields: { email: Email, password: Password, return_to: ReturnTo },
    async work(request, reply, form) {
      await acts.signIn(request, reply, form)
      return frame.after(request, '/')
    },
    again: async (fault, request, { email }) =>
      signIn(await frame.destination(request), await ways.offered(), fault, { email }),
  })

  frame.get(app, '/sign-out', async request => signOut(await frame.destination(request)))

  frame.post(app, '/sign-out', {
    fields: { return_to: ReturnTo },
    async work(request, reply) {
      await acts.signOut(request, reply)
      return frame.after(request, '/sign-in?signed_out=1')
    },
    again: async (fault, request) => signOut(await frame.destination(request), fault),
  })
}

/** In the context of who is signed in. */
export function stepUpPages(
  app: FastifyInstance,
  frame: Frame,
  acts: AccountHandlers,
  ways: FederationHandlers,
): void {
  frame.get(app, '/step-up', request => asked(request))
  frame.post(app, '/step-up', {
    fields: { password: Password, return_to: ReturnTo },
    async work(request, reply, form) {
      await acts.stepUp(request, reply, { password: form.password })
      return frame.after(request, '/')
    },
    again: (fault, request) => asked(request, fault),
  })
  frame.post(app, '/step-up/provider', {
    fields: { provider: ProviderId, return_to: ReturnTo },
    async work(request, reply, { provider }) {
      const to = await frame.destination(request)
      return goingOn(ways, request, reply, { provider, purpose: 'step-up', returnTo: to?.address })
    },
    again: (fault, request) => asked(request, fault),
  })

  async function asked(request: FastifyRequest, fault?: Fault): Promise<Page> {
    const { email } = signedIn(request).live.profile
    return stepUp(await frame.destination(request), email, await waysToProve(ways, request), fault)
  }
}

interface WaysToProve {
  readonly password: boolean
  readonly providers: readonly OfferedProvider[]
}

/** What this user has, and what of it counts. */
async function waysToProve(ways: FederationHandlers, request: FastifyRequest): Promise<WaysToProve> {
  const [{ linked, password }, offered] = await Promise.all([ways.waysOf(request), ways.offered()])
  const providers = offered.filter(
    ({ id, countsAsProof }) => countsAsProof && linked.some(({ provider }) => provider === id),
  )
  return { password, providers }
}

function signIn(
  to: Destination | undefined,
  offered: readonly OfferedProvider[],
  fault?: Fault,
  { email, signedOut = false }: { email?: string | undefined; signedOut?: boolean } = {},
): Page {
  const wrong = beside(fault, { invalid_credentials: 'password' })
  const more = to ? `?return_to=${encodeURIComponent(to.address)}` : ''
  return {
    title: 'Sign in',
    ...(to?.application && { lead: `to continue to ${to.application.name}` }),
    done: signedOut ? 'You are signed out.' : undefined,
    fault: wrong,
    returnTo: to?.application?.origin,
    body: html`<form method="post" action="/sign-in">
${hidden('return_to', to?.address)}
${field({ name: 'email', label: 'Email address', type: 'email', autocomplete: 'username', value: email, maxLength: 320, first: true }, wrong)}
${currentPassword(wrong)}
<p class="aside"><a href="/password/forgot">Forgot your password?</a></p>
<button>Sign in</button>
</form>
${providerButtons(offered, to?.address)}
<p class="other">No account yet? <a href="/sign-up${more}">Sign up</a></p>`,
  }
}

/** Somebody is signed in already: they may have come for another account. */
function goOn({ address, application }: Destination, email: string): Page {
  return {
    title: 'You’re already signed in',
    lead: html`as <strong>${email}</strong>`,
    returnTo: application?.origin,
    body: html`<p><a class="button" href="${address}">Continue to ${application?.name ?? ''}</a></p>
${buttonForm('/sign-out', 'Sign out to use another account')}`,
  }
}

function signOut(to: Destination | undefined, fault?: Fault): Page {
  return {
    title: 'Sign out',
    lead: 'This signs you out on this device, in every application that you use with this account.',
    fault,
    returnTo: to?.application?.origin,
    body: [
      buttonForm('/sign-out', 'Sign out', hidden('return_to', to?.address), false),
      html`<p class="other"><a href="/">Stay signed in</a></p>`,
    ],
  }
}

function stepUp(
  to: Destination | undefined,
  email: string,
  { password, providers }: WaysToProve,
  fault?: Fault,
): Page {
  const wrong = beside(fault, { wrong_password: 'password' })
  const back = hidden('return_to', to?.address)
  const byPassword = html`<form method="post" action="/step-up">
${back}
${usernameOf(email)}
${currentPassword(wrong, true)}
<button>Confirm</button>
</form>`
  const noWay = html`<p>You have no password here, and your sign-in method can’t be used to confirm that it’s you.</p>
<p><a class="button" href="/password/forgot">Set a password by email</a></p>`
  const byProvider = providers.map(({ id, name }) =>
    buttonForm('/step-up/provider', `Confirm with ${name}`, html`${back}${hidden('provider', id)}`, password),
  )
  return {
    title: 'Confirm that it’s you',
    lead: password
      ? html`Enter the password of <strong>${email}</strong> again to continue.`
      : html`You are signed in as <strong>${email}</strong>. Sign in again with one of these to continue.`,
    fault: wrong,
    returnTo: to?.application?.origin,
    body: html`${password ? byPassword : providers.length === 0 ? noWay : nothing}
${byProvider}
${to ? nothing : html`<p class="other"><a href="/">Not now</a></p>`}`,
  }
}
