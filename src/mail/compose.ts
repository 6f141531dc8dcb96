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
          `Open this link to choose a password and finish signing up to ${product}. The link works once and expires in ${mail.validMinutes} minutes.`,
          'If you did not ask for this, you can ignore this email. No account is created.',
        ],
      }
    case 'already-registered':
      return {
        subject: `You already have an account at ${product}`,
        link: { address: mail.resetPage, label: 'Reset your password' },
        paragraphs: [
          `Someone, perhaps you, tried to sign up to ${product} with this address. You already have an account. Sign in, or reset your password if you have forgotten it.`,
          'If this was not you, you can ignore this email. Nothing has changed.',
        ],
      }
    case 'password-reset':
      return {
        subject: `Choose a new password for ${product}`,
        link: { address: mail.link, label: 'Choose a new password' },
        paragraphs: [
          `Open this link to choose a new password for ${product}. The link works once and expires in ${mail.validMinutes} minutes. A new password signs you out on all devices.`,
          'If you did not ask for this, you can ignore this email. Your password has not changed.',
        ],
      }
    case 'welcome':
      return {
        subject: `Your account at ${product}`,
        link: { address: mail.link, label: 'Choose a password' },
        paragraphs: [
          `An account at ${product} was created for you. Open this link to choose your password. The link works once and expires in ${mail.validDays} days. After that, request a new one at ${mail.resetPage}.`,
        ],
      }
    case 'invitation':
      return {
        subject: `You are invited to ${product}`,
        link: { address: mail.link, label: 'View the invitation' },
        paragraphs: [
          `${inviterOf(mail.inviter)} invites you to join “${plainName(mail.tenant)}” at ${product}. Open this link to join with an existing account or a new one for this address. The link works once and expires in ${mail.validDays} days.`,
          `Names in quotation marks were chosen by other people; ${product} has not checked them. If you did not expect this invitation, you can ignore this email.`,
        ],
      }
    case 'identity-linked':
      return {
        subject: `${mail.provider} was linked to your account at ${product}`,
        paragraphs: [
          `An account at ${mail.provider} was linked to your account at ${product}. You can now sign in with it.`,
          `If this was not you, remove it under “Your sign-in methods” in your account, set a new password, and contact the operator of this service.`,
        ],
      }
    case 'account-reclaimed':
      return {
        subject: `Earlier sign-in methods of your account at ${product} were removed`,
        paragraphs: [
          `An account at ${product} existed for this address before the address was verified. The account is now yours. Its earlier sign-in methods were removed: ${[...(mail.password ? ['a password'] : []), ...mail.providers.map(name => `sign-in with ${name}`)].join(', ')}. Its sessions were signed out on all devices.`,
          'If you had set these up yourself, you can add them again under “Your sign-in methods” in your account.',
          'If you did not just sign in or open a link from one of our emails, reset your password now and contact the operator of this service.',
        ],
      }
    case 'identity-unlinked':
      return {
        subject: `${mail.provider} was removed from your account at ${product}`,
        paragraphs: [
          `The account at ${mail.provider} was removed from your account at ${product}.`,
          'If this was not you, reset your password now and contact the operator of this service.',
        ],
      }
    case 'password-changed':
      return {
        subject: `Your password for ${product} was changed`,
        paragraphs: [
          `The password of your account at ${product} was changed, and you were signed out on your other devices.`,
          ...(mail.providers && mail.providers.length > 0
            ? [
                `You can still sign in with ${mail.providers.join(', ')}. Remove any that you don’t recognize under “Your sign-in methods” in your account.`,
              ]
            : []),
          'If this was not you, reset your password now and contact the operator of this service.',
        ],
      }
  }
}
