/** Signing in and out. */
import type { FastifyInstance } from 'fastify'
import { html } from '../../core/html.js'
import type { OfferedProvider } from '../../federation/store.js'
import type { AccountHandlers } from '../handlers/account.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { Email, Password } from '../shapes/schemas.js'
import { providerButtons } from './federation.js'
import { beside, type Destination, type Frame, parameter, ReturnTo, secondStepFor } from './frame.js'
import { buttonForm, currentPasswordField, type Fault, field, hidden, type Page } from './layout.js'

/** What has led here, by the parameter that says so. */
const ended = new Map([
  ['signed_out', 'You are signed out.'],
  ['cancelled', 'The sign-in was cancelled.'],
])
const expired: Fault = {
  code: 'sign_in_expired',
  words: 'Your sign-in took too long, or too many codes were tried. Sign in again.',
}

export function signInPages(
  app: FastifyInstance,
  frame: Frame,
  acts: AccountHandlers,
  ways: FederationHandlers,
): void {
  frame.get(app, '/sign-in', async request => {
    const to = await frame.destination(request)
    const live = await frame.visitor(request)
    if (!live) {
      const done = [...ended].find(([name]) => parameter(request, name) === '1')?.[1]
      const fault = parameter(request, 'expired') === '1' ? expired : undefined
      return signIn(to, await ways.offered(), fault, { done })
    }
    return to?.application ? goOn(to, live.profile.email) : (to?.address ?? '/')
  })

  frame.post(app, '/sign-in', {
    fields: { email: Email, password: Password, return_to: ReturnTo },
    async work(request, reply, form) {
      const answer = await acts.signIn(request, reply, form)
      if ('next' in answer) return secondStepFor((await frame.destination(request))?.address)
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

function signIn(
  to: Destination | undefined,
  offered: readonly OfferedProvider[],
  fault?: Fault,
  { email, done }: { email?: string | undefined; done?: string | undefined } = {},
): Page {
  const wrong = beside(fault, { invalid_credentials: 'password' })
  const more = to ? `?return_to=${encodeURIComponent(to.address)}` : ''
  return {
    title: 'Sign in',
    ...(to?.application && { lead: `to continue to ${to.application.name}` }),
    done,
    fault: wrong,
    returnTo: to?.application?.origin,
    body: html`<form method="post" action="/sign-in">
${hidden('return_to', to?.address)}
${field({ name: 'email', label: 'Email address', type: 'email', autocomplete: 'username', value: email, maxLength: 320, first: true }, wrong)}
${currentPasswordField(wrong)}
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
