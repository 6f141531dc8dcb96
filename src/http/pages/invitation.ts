/** Taking an invitation: as who is signed in, or with an account that is made for it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { html } from '../../core/html.js'
import type { AccountHandlers } from '../handlers/account.js'
import { beside, type Frame, secondStepFor, signInFor } from './frame.js'
import { type Fault, nothing, type Page } from './layout.js'
import { accountFields, addressRoute, byLink, given, Link, linkForm, noToken, tokenIn } from './link-form.js'

const page = '/invitations/accept'

export function invitationPages(
  app: FastifyInstance,
  frame: Frame,
  acts: AccountHandlers,
  minLength: number,
): void {
  addressRoute(app, acts, page, 'invitation')
  frame.get(app, page, request => invited(request))
  frame.post(app, page, {
    fields: { token: Link },
    async work(request, _reply, { token }) {
      if (!(await frame.visitor(request))) return signInFor(page)
      await acts.acceptInvitation(request, tokenIn(token))
      return '/?done=joined'
    },
    again: (fault, request) => invited(request, fault),
  })
  frame.post(app, '/invitations/sign-up', {
    fields: byLink,
    async work(request, reply, form) {
      const answer = await acts.signUpByInvitation(request, reply, given(form))
      if ('next' in answer) return secondStepFor(undefined)
      return '/?done=joined'
    },
    again: (fault, request, { name }) => invited(request, fault, name),
  })

  async function invited(request: FastifyRequest, fault?: Fault, name?: string): Promise<Page> {
    const live = await frame.visitor(request)
    return invitation(minLength, live?.profile.email, fault, name)
  }
}

function invitation(minLength: number, signedInAs: string | undefined, fault?: Fault, name?: string): Page {
  const wrong = beside(fault, { weak_password: 'password' })
  const spent = fault?.code === 'link_invalid'
  const join =
    signedInAs === undefined
      ? html`<p class="other">Already have an account with the invited address? <a href="${signInFor(page)}">Sign in first</a></p>`
      : html`<p>You are signed in as <strong>${signedInAs}</strong>.</p>
${linkForm({ page, action: page, fields: nothing, button: 'Join with this account', spent })}
<h2>Or create an account for the invited address</h2>`
  const make = linkForm({
    ...{ page, action: '/invitations/sign-up', fields: accountFields(minLength, wrong, name), spent },
    button: 'Create account and join',
    quiet: signedInAs !== undefined,
  })
  return {
    title: 'You are invited',
    ...(signedInAs === undefined && { lead: 'Create an account to join.' }),
    fault: wrong,
    body: [
      invitedTo,
      noToken(html`Ask for a new invitation.`),
      ...(signedInAs === undefined ? [make, join] : [join, make]),
    ],
  }
}

/** Who holds the link has read both in the mail that it came in. The name is what a customer has written. */
const invitedTo = html`<p data-found hidden>Tenant: <strong data-show="tenant"></strong>. Invited address: <strong data-show="email"></strong>.</p>`
