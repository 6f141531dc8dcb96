/** New recovery codes, in the one moment in which they can be read. */
import { html } from '../../core/html.js'
import type { Destination } from './frame.js'
import type { Page } from './layout.js'

/** `done` says what they came with. A script adds buttons to copy and to print them. */
export function recoveryCodesPage(codes: readonly string[], to: Destination | undefined, done: string): Page {
  const address = to?.address ?? '/second-factors'
  return {
    title: 'Save your recovery codes',
    lead: 'You can’t see them again after this page.',
    done,
    body: html`<p>If you lose your authenticator app, each of these codes signs you in once. Print them, or keep them in a password manager. Don’t keep them only on the phone with your app.</p>
<ol class="codes" data-copy>
${codes.map(code => html`<li><code>${code}</code></li>`)}
</ol>
<p><a class="button" href="${address}">I have saved them</a></p>`,
  }
}
