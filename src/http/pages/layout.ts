/** How a hosted page is built: its head, its fields with what is wrong beside them, its buttons. */
import { type Html, html } from '../../core/html.js'
import type { Theme } from './theme.js'

export interface Look {
  readonly product: string
  readonly theme: Theme
}

export interface Page {
  readonly title: string
  /** Under the heading. */
  readonly lead?: Html | string
  readonly body: Html | readonly Html[]
  /** What went well, told once. */
  readonly done?: string | undefined
  readonly fault?: Fault | undefined
  /** Lists need more room than forms. */
  readonly wide?: boolean
  /** A page that only leads on: the browser goes there by itself. */
  readonly goOn?: string
  /** Where an application's form leads back to. */
  readonly returnTo?: string | undefined
}

/** What went wrong, in words, and beside which field. */
export interface Fault {
  readonly code: string
  readonly words: string
  readonly field?: string | undefined
}

export const nothing = html``

export function document({ product, theme }: Look, page: Page): Html {
  const { title, lead, body, done, fault, goOn, wide = false } = page
  const logo = theme.logo ? '/assets/logo' : '/assets/icon.svg'
  const beside = fault?.field !== undefined
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${goOn === undefined ? nothing : html`<meta http-equiv="refresh" content="0;url=${goOn}">`}
<title>${fault ? 'Error: ' : ''}${title} · ${product}</title>
<link rel="icon" href="${logo}">
<link rel="stylesheet" href="/assets/style.css">
${theme.css === undefined ? nothing : html`<link rel="stylesheet" href="/assets/theme.css">`}
<script type="module" src="/assets/page.js"></script>
</head>
<body${wide ? html` class="wide"` : nothing}>
<header><a href="/"><img src="${logo}" alt="" height="28">${theme.logo ? html`<span class="unseen">${product}</span>` : product}</a></header>
<main${fault ? html` data-code="${fault.code}"` : nothing}>
<h1>${title}</h1>
${lead === undefined ? nothing : html`<p class="lead">${lead}</p>`}
${done === undefined ? nothing : html`<p class="note" role="status">${done}</p>`}
${fault && !beside ? html`<p class="alert" role="alert">${fault.words}</p>` : nothing}
${body}
</main>
</body>
</html>
`
}

export interface Field {
  readonly name: string
  readonly label: string
  readonly type: 'email' | 'password' | 'text'
  readonly autocomplete: string
  readonly value?: string | undefined
  readonly hint?: string
  readonly required?: boolean
  readonly maxLength?: number
  /** Where a user begins on a page without a fault. */
  readonly first?: boolean
  /** For password generators, in the words of Apple's `passwordrules`. */
  readonly rules?: string
  /** A phone shows its digits. */
  readonly digits?: boolean
  /** Where a page has several of one name. */
  readonly id?: string
}

export function field(asked: Field, fault?: Fault): Html {
  const { name, label, type, autocomplete, value, required = true, maxLength, first, rules } = asked
  const { id = name, digits = false } = asked
  const wrong = fault?.field === id
  // What is wrong says what is asked for.
  const hint = wrong ? undefined : asked.hint
  const about = [...(wrong ? [`${id}-error`] : []), ...(hint === undefined ? [] : [`${id}-hint`])]
  const attributes = [
    ...(value === undefined ? [] : [html` value="${value}"`]),
    ...(required ? [html` required`] : []),
    ...(maxLength === undefined ? [] : [html` maxlength="${String(maxLength)}"`]),
    ...(rules === undefined ? [] : [html` passwordrules="${rules}"`]),
    ...(type === 'email' ? [html` inputmode="email" autocapitalize="none" spellcheck="false"`] : []),
    ...(digits ? [html` inputmode="numeric"`] : []),
    ...(wrong ? [html` aria-invalid="true"`] : []),
    ...(about.length === 0 ? [] : [html` aria-describedby="${about.join(' ')}"`]),
    ...(wrong || (first && fault?.field === undefined) ? [html` autofocus`] : []),
  ]
  return html`<div class="field">
<label for="${id}">${label}</label>
<input id="${id}" name="${name}" type="${type}" autocomplete="${autocomplete}"${attributes}>
${wrong ? html`<p class="error" id="${id}-error">${fault.words}</p>` : nothing}
${hint === undefined ? nothing : html`<p class="hint" id="${id}-hint">${hint}</p>`}
</div>`
}

export function hidden(name: string, value: string | undefined): Html {
  return value === undefined ? nothing : html`<input type="hidden" name="${name}" value="${value}">`
}

/** A form of one button, for what needs no field. */
export function buttonForm(
  action: string,
  button: Html | string,
  fields: Html = nothing,
  quiet = true,
): Html {
  return html`<form method="post" action="${action}">${fields}<button${quiet ? html` class="quiet"` : nothing}>${button}</button></form>`
}

/** For password managers: whose password a form is about. */
export const usernameOf = (email: string): Html =>
  html`<input type="text" autocomplete="username" value="${email}" readonly hidden>`

export const currentPasswordField = (fault: Fault | undefined, first = false): Html =>
  field(
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', first },
    fault,
  )

export function newPasswordField(name: string, minLength: number, fault: Fault | undefined): Html {
  return field(
    {
      name,
      label: 'New password',
      type: 'password',
      autocomplete: 'new-password',
      hint: `At least ${minLength} characters. A few unrelated words make a good password.`,
      rules: `minlength: ${minLength}; allowed: unicode;`,
    },
    fault,
  )
}
