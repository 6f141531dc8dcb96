/** Signing up and a forgotten password: asking for a link, and what stands behind it. */
import type { FastifyInstance } from 'fastify'
import { html } from '../../core/html.js'
import type { Acts } from '../handlers/account.js'
import { Email, Password } from '../shapes/schemas.js'
import { beside, type Destination, type Frame, ReturnTo } from './frame.js'
import { type Fault, field, hidden, newPasswordField, nothing, type Page } from './layout.js'
import { byLink, given, Link, linkForm, nameField, noToken, tokenIn } from './link-form.js'

export function mailedLinkPages(app: FastifyInstance, frame: Frame, acts: Acts, minLength: number): void {
  frame.get(app, '/sign-up', async request => signUp(await frame.destination(request)))
  frame.post(app, '/sign-up', {
    fields: { email: Email, return_to: ReturnTo },
    async work(request, _reply, { email }) {
      const to = await frame.destination(request)
      await acts.askForSignUp(request, email, to?.address)
      return onItsWay(email, 'If you have an account already, it says so instead.', to)
    },
    again: async (fault, request, { email }) => signUp(await frame.destination(request), fault, email),
  })

  frame.get(app, '/sign-up/verify', async request => verify(minLength, await frame.destination(request)))
  frame.post(app, '/sign-up/verify', {
    fields: byLink,
    async work(request, reply, form) {
      await acts.verifySignUp(request, reply, given(form))
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
      return onItsWay(email, 'No mail comes where there is no account with this address.')
    },
    again: (fault, _request, { email }) => forgot(fault, email),
  })

  frame.get(app, '/password/reset', () => reset(minLength))
  frame.post(app, '/password/reset', {
    fields: { token: Link, password: Password },
    async work(request, reply, { token, password }) {
      await acts.resetPassword(request, reply, { token: tokenIn(token), password })
      return {
        title: 'Your password is set',
        lead: 'You are signed out everywhere. Sign in with your new password.',
        body: html`<p><a class="button" href="/sign-in">Sign in</a></p>`,
      }
    },
    again: fault => reset(minLength, fault),
  })
}

const emailField = (fault: Fault | undefined, email: string | undefined) =>
  field(
    {
      ...{ name: 'email', label: 'E-mail address', type: 'email', autocomplete: 'username' },
      ...{ value: email, maxLength: 320, first: true },
    },
    fault,
  )

function signUp(to: Destination | undefined, fault?: Fault, email?: string): Page {
  const wrong = beside(fault, { invalid_email: 'email' })
  const more = to ? `?return_to=${encodeURIComponent(to.address)}` : ''
  return {
    title: 'Sign up',
    lead: 'We send a link to your address. With it you choose your password.',
    fault: wrong,
    body: html`<form method="post" action="/sign-up">
${hidden('return_to', to?.address)}
${emailField(wrong, email)}
<button>Send me the link</button>
</form>
<p class="other">You have an account? <a href="/sign-in${more}">Sign in</a></p>`,
  }
}

function forgot(fault?: Fault, email?: string): Page {
  const wrong = beside(fault, { invalid_email: 'email' })
  return {
    title: 'Forgotten your password?',
    lead: 'We send a link to your address. With it you choose a new one.',
    fault: wrong,
    body: html`<form method="post" action="/password/forgot">
${emailField(wrong, email)}
<button>Send me the link</button>
</form>
<p class="other"><a href="/sign-in">Back to sign-in</a></p>`,
  }
}

/** The same for every address: it does not tell who has an account. */
function onItsWay(email: string, more: string, to?: Destination): Page {
  const back = to ? `?return_to=${encodeURIComponent(to.address)}` : ''
  return {
    title: 'Look into your mail',
    lead: html`A mail to <strong>${email}</strong> is on its way. Open the link in it within 30 minutes.`,
    body: html`<p class="hint">${more} Nothing there? Look into the spam folder, and check the address above.</p>
<p class="other"><a href="/sign-in${back}">Back to sign-in</a></p>`,
  }
}

function verify(minLength: number, to: Destination | undefined, fault?: Fault, name?: string): Page {
  const wrong = beside(fault, { weak_password: 'password' })
  const fields = html`${hidden('return_to', to?.address)}
${nameField(wrong, name)}
${newPasswordField('password', minLength, wrong)}`
  const another = html`<a href="/sign-up">Ask for another link</a>`
  const spent = fault?.code === 'link_invalid'
  return {
    title: 'Choose your password',
    ...(!spent && { lead: 'It is the last step: with it you sign in from now on.' }),
    fault: wrong,
    returnTo: to?.application?.origin,
    body: [
      noToken(another),
      linkForm('/sign-up/verify', fields, 'Set password and sign in', { spent }),
      spent ? html`<p class="other">${another}</p>` : nothing,
    ],
  }
}

function reset(minLength: number, fault?: Fault): Page {
  const wrong = beside(fault, { weak_password: 'password' })
  const another = html`<a href="/password/forgot">Ask for another link</a>`
  const spent = fault?.code === 'link_invalid'
  return {
    title: 'Choose a new password',
    ...(!spent && { lead: 'It signs you out everywhere.' }),
    fault: wrong,
    body: [
      noToken(another),
      linkForm('/password/reset', newPasswordField('password', minLength, wrong), 'Set new password', {
        spent,
      }),
      spent ? html`<p class="other">${another}</p>` : nothing,
    ],
  }
}
