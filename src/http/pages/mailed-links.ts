/** Signing up and a forgotten password: asking for a link, and what stands behind it. */
import type { FastifyInstance } from 'fastify'
import { type Html, html } from '../../core/html.js'
import type { AccountHandlers } from '../handlers/account.js'
import { Email, Password } from '../shapes/schemas.js'
import { beside, type Destination, type Frame, ReturnTo, secondStepFor } from './frame.js'
import { type Fault, field, hidden, newPasswordField, nothing, type Page } from './layout.js'
import {
  accountFields,
  addressee,
  addressRoute,
  byLink,
  given,
  Link,
  linkForm,
  noToken,
  tokenIn,
  username,
} from './link-form.js'

export function mailedLinkPages(
  app: FastifyInstance,
  frame: Frame,
  acts: AccountHandlers,
  minLength: number,
): void {
  frame.get(app, '/sign-up', async request => signUp(await frame.destination(request)))
  frame.post(app, '/sign-up', {
    fields: { email: Email, return_to: ReturnTo },
    async work(request, _reply, { email }) {
      const to = await frame.destination(request)
      await acts.askForSignUp(request, email, to?.address)
      const lead = html`We sent an email to <strong>${email}</strong>. Open its link within 30 minutes.`
      return onItsWay(lead, 'If you already have an account, the email says so.', to)
    },
    again: async (fault, request, { email }) => signUp(await frame.destination(request), fault, email),
  })

  addressRoute(app, acts, '/sign-up/verify', 'sign-up')
  frame.get(app, '/sign-up/verify', async request => verify(minLength, await frame.destination(request)))
  frame.post(app, '/sign-up/verify', {
    fields: byLink,
    async work(request, reply, form) {
      const answer = await acts.verifySignUp(request, reply, given(form))
      if ('next' in answer) return secondStepFor((await frame.destination(request))?.address)
      return frame.after(request, '/?done=welcome')
    },
    again: async (fault, request, { name }) =>
      verify(minLength, await frame.destination(request), fault, name),
  })

  frame.get(app, '/password/forgot', () => forgot())
  frame.post(app, '/password/forgot', {
    fields: { email: Email },
    async work(request, _reply, { email }) {
      await acts.askForReset(request, email)
      const lead = html`If there is an account with <strong>${email}</strong>, we sent it an email. Open its link within 30 minutes.`
      return onItsWay(lead)
    },
    again: (fault, _request, { email }) => forgot(fault, email),
  })

  addressRoute(app, acts, '/password/reset', 'password-reset')
  frame.get(app, '/password/reset', () => reset(minLength))
  frame.post(app, '/password/reset', {
    fields: { token: Link, password: Password },
    async work(request, reply, { token, password }) {
      await acts.resetPassword(request, reply, { token: tokenIn(token), password })
      return {
        title: 'Your password was set',
        lead: 'You were signed out on all devices. Sign in with your new password.',
        body: html`<p><a class="button" href="/sign-in">Sign in</a></p>`,
      }
    },
    again: fault => reset(minLength, fault),
  })
}

const emailField = (fault: Fault | undefined, email: string | undefined) =>
  field(
    {
      ...{ name: 'email', label: 'Email address', type: 'email', autocomplete: 'username' },
      ...{ value: email, maxLength: 320, first: true },
    },
    fault,
  )

function signUp(to: Destination | undefined, fault?: Fault, email?: string): Page {
  const wrong = beside(fault, { invalid_email: 'email' })
  const more = to ? `?return_to=${encodeURIComponent(to.address)}` : ''
  return {
    title: 'Sign up',
    lead: 'We’ll email you a link to choose your password.',
    fault: wrong,
    body: html`<form method="post" action="/sign-up">
${hidden('return_to', to?.address)}
${emailField(wrong, email)}
<button>Send link</button>
</form>
<p class="other">Already have an account? <a href="/sign-in${more}">Sign in</a></p>`,
  }
}

function forgot(fault?: Fault, email?: string): Page {
  const wrong = beside(fault, { invalid_email: 'email' })
  return {
    title: 'Forgot your password?',
    lead: 'We’ll email you a link to choose a new one.',
    fault: wrong,
    body: html`<form method="post" action="/password/forgot">
${emailField(wrong, email)}
<button>Send link</button>
</form>
<p class="other"><a href="/sign-in">Back to sign-in</a></p>`,
  }
}

/** The same for every address: it does not tell who has an account. */
function onItsWay(lead: Html, more?: string, to?: Destination): Page {
  const back = to ? `?return_to=${encodeURIComponent(to.address)}` : ''
  return {
    title: 'Check your email',
    lead,
    body: html`<p class="hint">${more ? `${more} ` : ''}No email? Check your spam folder and the address above.</p>
<p class="other"><a href="/sign-in${back}">Back to sign-in</a></p>`,
  }
}

function verify(minLength: number, to: Destination | undefined, fault?: Fault, name?: string): Page {
  const wrong = beside(fault, { weak_password: 'password' })
  const page = '/sign-up/verify'
  const fields = html`${hidden('return_to', to?.address)}
${accountFields(minLength, wrong, name)}`
  const another = html`<a href="/sign-up">Request a new link</a>`
  const spent = fault?.code === 'link_invalid'
  return {
    title: 'Choose your password',
    ...(!spent && { lead: 'This is the last step. You will use this password to sign in.' }),
    fault: wrong,
    returnTo: to?.application?.origin,
    body: [
      addressee,
      noToken(another),
      linkForm({ page, action: page, fields, button: 'Set password and sign in', spent }),
      spent ? html`<p class="other">${another}</p>` : nothing,
    ],
  }
}

function reset(minLength: number, fault?: Fault): Page {
  const wrong = beside(fault, { weak_password: 'password' })
  const page = '/password/reset'
  const fields = html`${username}
${newPasswordField('password', minLength, wrong)}`
  const another = html`<a href="/password/forgot">Request a new link</a>`
  const spent = fault?.code === 'link_invalid'
  return {
    title: 'Choose a new password',
    ...(!spent && { lead: 'This signs you out on all devices.' }),
    fault: wrong,
    body: [
      addressee,
      noToken(another),
      linkForm({ page, action: page, fields, button: 'Set new password', spent }),
      spent ? html`<p class="other">${another}</p>` : nothing,
    ],
  }
}
