/** The page behind a mailed link: it asks for the password, and for the address where the link is missing or used. */
import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { type Html, html } from '../../html.js'

interface LinkPage {
  readonly title: string
  /** Absent where nobody can ask for another link. */
  readonly ask?: { readonly route: string; readonly button: string; readonly done: string }
  /** What the link does for who is signed in. */
  readonly join?: { readonly route: string; readonly button: string; readonly done: string }
  readonly finish: {
    readonly route: string
    readonly button: string
    readonly done: string
    readonly named: boolean
  }
}

const signUp: LinkPage = {
  title: 'Sign up',
  ask: { route: '/v1/sign-up', button: 'Send me a link', done: 'A mail is on its way. Open the link in it.' },
  finish: {
    route: '/v1/sign-up/verify',
    button: 'Set password and sign in',
    done: 'Welcome. You are signed in.',
    named: true,
  },
}

const reset: LinkPage = {
  title: 'Choose a new password',
  ask: {
    route: '/v1/password/forgot',
    button: 'Send me a link',
    done: 'If there is an account with this address, a mail is on its way. Open the link in it.',
  },
  finish: {
    route: '/v1/password/reset',
    button: 'Set new password',
    done: 'Your password is set. You can sign in with it now.',
    named: false,
  },
}

const invitation: LinkPage = {
  title: 'You are invited',
  join: {
    route: '/v1/invitations/accept',
    button: 'Join as the person who is signed in here',
    done: 'You are a member now.',
  },
  finish: {
    route: '/v1/invitations/sign-up',
    button: 'Make an account and join',
    done: 'Welcome. You are signed in, and a member.',
    named: true,
  },
}

const publicFolder = new URL('../../../public/', import.meta.url)

export function pages(product: string, minLength: number): FastifyPluginAsync {
  return async app => {
    const script = await readFile(new URL('mail-link.js', publicFolder), 'utf8')
    const style = await readFile(new URL('style.css', publicFolder), 'utf8')
    const asset = (reply: FastifyReply, type: string, body: string) =>
      reply.type(type).header('cache-control', 'public, max-age=300').send(body)

    app.get('/sign-up/verify', { schema: { hide: true } }, async (_request, reply) =>
      page(reply, linkPage(signUp, product, minLength)),
    )
    app.get('/password/reset', { schema: { hide: true } }, async (_request, reply) =>
      page(reply, linkPage(reset, product, minLength)),
    )
    app.get('/invitations/accept', { schema: { hide: true } }, async (_request, reply) =>
      page(reply, linkPage(invitation, product, minLength)),
    )
    app.get('/assets/mail-link.js', { schema: { hide: true } }, async (_request, reply) =>
      asset(reply, 'text/javascript; charset=utf-8', script),
    )
    app.get('/assets/style.css', { schema: { hide: true } }, async (_request, reply) =>
      asset(reply, 'text/css; charset=utf-8', style),
    )
  }
}

function page(reply: FastifyReply, content: Html): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(content.toString())
}

function linkPage({ title, ask, join, finish }: LinkPage, product: string, minLength: number): Html {
  const name = html`<label for="name">Your name (optional)</label>
<input id="name" name="name" autocomplete="name" maxlength="100">`
  const askForm = html`<form id="ask" hidden>
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="email" required maxlength="254">
<button>${ask?.button ?? ''}</button>
</form>`
  const joinForm = html`<form id="join" hidden>
<button>${join?.button ?? ''}</button>
<p class="hint">Or, without an account for this address:</p>
</form>`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${product}</title>
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/assets/mail-link.js"></script>
</head>
<body>
<main data-ask="${ask?.route ?? ''}" data-ask-done="${ask?.done ?? ''}" data-join="${join?.route ?? ''}" data-join-done="${join?.done ?? ''}" data-finish="${finish.route}" data-finish-done="${finish.done}">
<p class="hint">${product}</p>
<h1>${title}</h1>
<noscript><p>This page needs JavaScript: the link’s token stays in your browser until you send the form.</p></noscript>
${ask ? askForm : html``}
${join ? joinForm : html``}
<form id="finish" hidden>
${finish.named ? name : html``}
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required aria-describedby="hint">
<p id="hint" class="hint">At least ${String(minLength)} characters. A few unrelated words make a good one.</p>
<button>${finish.button}</button>
</form>
<p role="alert"></p>
<p role="status" tabindex="-1"></p>
</main>
</body>
</html>
`
}
