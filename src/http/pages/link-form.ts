/** The form behind a mailed link: the token that a script or the person puts in, and what it is sent with. */
import { Type } from 'typebox'
import { type Html, html } from '../../core/html.js'
import { Password } from '../shapes/schemas.js'
import { ReturnTo } from './frame.js'
import { type Fault, field, nothing } from './layout.js'

/** The token, or the whole link that a person without scripts has pasted. */
export const Link = Type.String({ maxLength: 2000 })
/** A form sends an empty name where there is none. */
const Name = Type.String({ maxLength: 100, pattern: '^[^\\p{Cc}\\p{Cs}]*$' })
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
export const tokenIn = (link: string) => link.trim().replace(/^.*#token=/, '')

/** The script fills the token in from the address; without scripts the link is pasted. */
export function linkForm(
  action: string,
  fields: Html,
  button: string,
  { spent = false, quiet = false } = {},
): Html {
  return html`<form method="post" action="${action}" data-link${spent ? html`="spent"` : nothing}>
<noscript><div class="field"><label for="token">The full link from the email</label>
<input id="token" name="token" type="text" autocomplete="off" required aria-describedby="token-hint">
<p class="hint" id="token-hint">Copy it from the email. Without JavaScript, this page can’t read it from the address bar.</p></div></noscript>
${fields}
<button${quiet ? html` class="quiet"` : nothing}>${button}</button>
</form>`
}

export const nameField = (fault: Fault | undefined, name: string | undefined) =>
  field(
    {
      ...{ name: 'name', label: 'Your name (optional)', type: 'text', autocomplete: 'name' },
      ...{ value: name, required: false, maxLength: 100 },
    },
    fault,
  )

/** Shown by the script in place of the form when the address holds no token. */
export const noToken = (another: Html) =>
  html`<p class="alert" data-no-link hidden>This link is incomplete. Open it from the email again. ${another}</p>`
