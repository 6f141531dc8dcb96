/** The first mail to a person whose account an operator made: a link by which the person sets the password. */
import type { EmailAddress } from '../core/email-address.js'
import type { Post } from '../core/mail.js'
import { linkMinutes, newLink } from './links.js'
import type { AccountStore } from './store.js'

export async function sendWelcome(store: AccountStore, post: Post, issuer: string, address: EmailAddress) {
  const link = await newLink(store, issuer, 'password-reset', address)
  const resetPage = `${issuer}/password/forgot`
  await post.send({ kind: 'welcome', to: address.asTyped, link, validMinutes: linkMinutes, resetPage })
}
