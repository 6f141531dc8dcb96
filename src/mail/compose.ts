/** The words of every mail, as text and as HTML. */
import { html } from '../core/html.js'
import type { Inviter, Mail } from '../core/mail.js'
import { plainAddress, plainName } from './plain.js'

export interface Message {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** Printed on the terminal by the embedded default. */
  readonly link: string | undefined
}

interface Words {
  readonly subject: string
  readonly paragraphs: readonly string[]
  readonly link?: { readonly address: string; readonly label: string }
}

export function compose(mail: Mail, product: string): Message {
  const { subject, paragraphs, link } = words(mail, product)
  const [first = '', ...rest] = paragraphs
  const text = [first, ...(link ? [link.address] : []), ...rest].join('\n\n')
  const anchor = link && html`<p><a href="${link.address}">${link.label}</a></p>`
  const body = [
    html`<p>${first}</p>`,
    ...(anchor ? [anchor] : []),
    ...rest.map(paragraph => html`<p>${paragraph}</p>`),
  ]
  return {
    to: mail.to,
    subject,
    text: `${text}\n`,
    html: html`<!doctype html>
<html lang="en"><head><meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no"></head><body>
${body}
</body></html>
`.toString(),
    link: link?.address,
  }
}

function inviterOf(inviter: Inviter | undefined): string {
  if (!inviter) return 'An operator'
  return 'account' in inviter
    ? `The account ${plainAddress(inviter.account)}`
    : `The service key “${plainName(inviter.serviceKey)}”`
}

/** What a customer has written is in no subject, and in the text by way of `plainName` alone. */
function words(mail: Mail, product: string): Words {
  switch (mail.kind) {
    case 'sign-up':
      return {
        subject: `Finish signing up to ${product}`,
        link: { address: mail.link, label: 'Choose a password' },
        paragraphs: [
          `Open this link to choose a password and finish signing up to ${product}. It works once, within ${mail.validMinutes} minutes.`,
          'If you did not ask for this, do nothing: no account is made.',
        ],
      }
    case 'already-registered':
      return {
        subject: `You already have an account at ${product}`,
        link: { address: mail.resetPage, label: 'Ask for a new password' },
        paragraphs: [
          `Someone, perhaps you, tried to sign up to ${product} with this address. You have an account already: sign in, or ask for a new password if you have forgotten yours.`,
          'If this was not you, do nothing: nothing has changed.',
        ],
      }
    case 'password-reset':
      return {
        subject: `Choose a new password for ${product}`,
        link: { address: mail.link, label: 'Choose a new password' },
        paragraphs: [
          `Open this link to choose a new password for ${product}. It works once, within ${mail.validMinutes} minutes, and signs you out everywhere.`,
          'If you did not ask for this, do nothing: your password stays as it is.',
        ],
      }
    case 'welcome':
      return {
        subject: `Your account at ${product}`,
        link: { address: mail.link, label: 'Choose a password' },
        paragraphs: [
          `An account at ${product} was made for you. Open this link to choose your password. It works once, within ${mail.validMinutes} minutes; later, ask for a new one at ${mail.resetPage}.`,
        ],
      }
    case 'invitation':
      return {
        subject: `You have an invitation at ${product}`,
        link: { address: mail.link, label: 'See the invitation' },
        paragraphs: [
          `${inviterOf(mail.inviter)} invites you to join “${plainName(mail.tenant)}” at ${product}. Open this link to join, with the account that you have or a new one for this address. It works once, within ${mail.validDays} days.`,
          `Names in quotation marks were chosen by other people; ${product} has not checked them. If you do not expect this invitation, do nothing.`,
        ],
      }
    case 'identity-linked':
      return {
        subject: `You can sign in to ${product} with ${mail.provider} now`,
        paragraphs: [
          `An account at ${mail.provider} was linked to your account at ${product}: it signs you in from now on.`,
          `If this was not you, remove it under “Ways to sign in” in your account, set a new password, and tell whoever runs this service.`,
        ],
      }
    case 'account-reclaimed':
      return {
        subject: `What was set up before in your account at ${product} was removed`,
        paragraphs: [
          `There was an account at ${product} for this address before anybody had shown that the address is theirs. It is yours now. What could be used to sign in to it until now was removed: ${[...(mail.password ? ['a password'] : []), ...mail.providers.map(name => `sign-in with ${name}`)].join(', ')}. It was signed out everywhere.`,
          'If you had set this up yourself, you can do so again under “Ways to sign in” in your account.',
          'If it was not you who used a link from a mail of ours or signed in just now, ask for a new password at once and tell whoever runs this service.',
        ],
      }
    case 'identity-unlinked':
      return {
        subject: `You cannot sign in to ${product} with ${mail.provider} any more`,
        paragraphs: [
          `The account at ${mail.provider} was removed from your account at ${product}.`,
          'If this was not you, ask for a new password at once and tell whoever runs this service.',
        ],
      }
    case 'password-changed':
      return {
        subject: `Your password for ${product} was changed`,
        paragraphs: [
          `The password of your account at ${product} was changed, and you were signed out on your other devices.`,
          ...(mail.providers && mail.providers.length > 0
            ? [
                `These sign you in as well, as before: ${mail.providers.join(', ')}. Remove what you do not know under “Ways to sign in” in your account.`,
              ]
            : []),
          'If this was not you, ask for a new password at once and tell whoever runs this service.',
        ],
      }
  }
}
