/** The form behind a mailed link: the token that a script or the user puts in, and what it is sent with. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { LinkKind } from '../../accounts/by-link.js'
import { type Html, html } from '../../core/html.js'
import type { AccountHandlers } from '../handlers/account.js'
import { Body, Password, Text } from '../shapes/schemas.js'
import { ReturnTo } from './frame.js'
import { type Fault, field, newPasswordField, nothing } from './layout.js'

/** The token, or the whole link that a user without scripts has pasted. */
export const Link = Type.String({ maxLength: 2000 })
/** A form sends an empty name if there is none. */
const Name = Text(100, 0)
export const byLink = { token: Link, password: Password, name: Name, return_to: ReturnTo }

interface ByLink {
  readonly token: string
  readonly password: string
  readonly name: string
}
export const given = ({ token, password, name }: ByLink) => ({
  token: tokenIn(token),
  password,
  name: name.trim() || undefined,
})
/** Some programs escape the `#`, which then is no fragment. */
export const tokenIn = (link: string) => link.trim().replace(/^.*(#|%23)token(=|%3d)/i, '')

/** Where a page asks for whom its link is. */
export const lookAt = (page: string) => `${page}/address`

/** A form of a page behind a mailed link, at `page`. */
interface LinkForm {
  readonly page: string
  readonly action: string
  readonly fields: Html
  readonly button: string
  readonly spent?: boolean
  readonly quiet?: boolean
}

/** The script fills the token in from the address; without scripts, or where the address holds none, the link is pasted. */
export function linkForm({ page, action, fields, button, spent = false, quiet = false }: LinkForm): Html {
  const id = `link${action.replaceAll('/', '-')}`
  return html`<form method="post" action="${action}" data-look="${lookAt(page)}" data-link${spent ? html`="spent"` : nothing}>
<noscript><div class="field"><label for="${id}">The full link from the email</label>
<input id="${id}" name="token" type="text" autocomplete="off" required aria-describedby="${id}-hint">
<p class="hint" id="${id}-hint">Copy it from the email. This page can’t read it from the address bar.</p></div></noscript>
${fields}
<button${quiet ? html` class="quiet"` : nothing}>${button}</button>
</form>`
}

/** For password managers: the address that the link was mailed to, once the script has asked for it. */
export const username = html`<input type="text" autocomplete="username" data-show="email" readonly hidden>`

/** For whom the link is, shown by the script once it has asked. */
export const addressee = html`<p data-found hidden>Account: <strong data-show="email"></strong></p>`

/** Answers the page's script with what a link is for, as JSON. Nothing is consumed. */
export function addressRoute(
  app: FastifyInstance,
  acts: AccountHandlers,
  page: string,
  kind: LinkKind,
): void {
  const consumes = ['application/x-www-form-urlencoded']
  app.post<{ Body: { token: string } }>(
    lookAt(page),
    { schema: { hide: true, consumes, body: Body({ token: Link }) } },
    request => acts.addressed(request, kind, tokenIn(request.body.token)),
  )
}

/** Of the user whose account a link makes. */
export const accountFields = (minLength: number, fault: Fault | undefined, name: string | undefined) =>
  html`${username}
${nameField(fault, name)}
${newPasswordField('password', minLength, fault)}`

const nameField = (fault: Fault | undefined, name: string | undefined) =>
  field(
    {
      ...{ name: 'name', label: 'Your name (optional)', type: 'text', autocomplete: 'name' },
      ...{ value: name, required: false, maxLength: 100 },
    },
    fault,
  )

/** Shown by the script: above a field for the link where the address holds no token, or where the link is no good. */
export const noToken = (another: Html) =>
  html`<p class="alert" data-no-link hidden>This link is incomplete. Paste the full link from the email. ${another}</p>
<p class="alert" data-spent hidden>This link is not valid, has expired or was already used. ${another}</p>`
