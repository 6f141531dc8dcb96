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
          `An account at ${product} existed for this address before the address was verified. The account is now yours. Its earlier sign-in methods were removed: ${[...(mail.password ? ['a password'] : []), ...(mail.factors ? ['second factors'] : []), ...mail.providers.map(name => `sign-in with ${name}`)].join(', ')}. Its sessions were signed out on all devices.`,
          'If you had set these up yourself, you can add them again under “Your sign-in methods” in your account.',
          'If you did not just sign in or open a link from one of our emails, reset your password now and contact the operator of this service.',
        ],
      }
    case 'factor-added':
      return {
        subject: `A second factor was added to your account at ${product}`,
        paragraphs: [
          `“${plainName(mail.name)}” was added to your account at ${product} as a second factor. You will need it, or a recovery code, when you sign in.`,
          notYou('remove it under “Your second factors” in your account, reset your password'),
        ],
      }
    case 'factor-removed':
      return {
        subject: `A second factor was removed from your account at ${product}`,
        paragraphs: [
          `“${plainName(mail.name)}” was removed from your account at ${product}.${mail.last ? ' It was your last second factor, so your recovery codes were removed too. You no longer need a second factor to sign in.' : ''}`,
          notYou('reset your password now'),
        ],
      }
    case 'recovery-codes-replaced':
      return {
        subject: `New recovery codes were created for your account at ${product}`,
        paragraphs: [
          `New recovery codes were created for your account at ${product}. Earlier codes no longer work.`,
          notYou(
            'reset your password, then create new recovery codes under “Your second factors” in your account',
          ),
        ],
      }
    case 'recovery-code-used':
      return {
        subject: `A recovery code was used to sign in to ${product}`,
        paragraphs: [
          `Someone, probably you, signed in to your account at ${product} with a recovery code. ${mail.left === 1 ? '1 code is' : `${mail.left} codes are`} left.`,
          'If you have lost your authenticator app, set up a new one under “Your second factors” in your account.',
          notYou(
            'reset your password, then create new recovery codes under “Your second factors” in your account',
          ),
        ],
      }
    case 'factors-reset-requested':
      return {
        subject: `Your second factors for ${product} will be removed`,
        link: { address: mail.page, label: 'View your second factors' },
        paragraphs: [
          `An operator was asked to remove all second factors of your account at ${product}. They will be removed when you sign in after ${timeOf(mail.dueAt)}. Until then you can keep them: open this page on a device that is signed in, and stop the removal.`,
          'If you did not ask for this, stop it, reset your password, and contact the operator of this service.',
        ],
      }
    case 'factors-reset':
      return {
        subject: `Your second factors for ${product} were removed`,
        paragraphs: [
          `An operator removed all second factors and recovery codes of your account at ${product}. You were signed out on all devices. Sign in, and set up a new second factor under “Your second factors” in your account.`,
          notYou('reset your password now'),
        ],
      }
    case 'factors-reset-stopped':
      return {
        subject: `Your second factors for ${product} stay`,
        paragraphs: [
          `The removal of the second factors of your account at ${product} was stopped from one of your devices. They stay as they are.`,
          notYou('reset your password now'),
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

const notYou = (remedy: string) => `If this was not you, ${remedy}, and contact the operator of this service.`

/** In UTC, as in `4 May 2031, 16:20 UTC`. */
function timeOf(seconds: number): string {
  const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })
  return `${format.format(new Date(seconds * 1000)).replace(' at ', ', ')} UTC`
}
