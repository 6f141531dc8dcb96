/** Telling the person, by mail, what the first verification of their address has removed. */

import type { InBackground, Post } from '../core/mail.js'
import type { Reclaimed } from './address-verification.js'

export interface Told {
  readonly post: Post
  readonly inBackground: InBackground
}

/** Where there was nothing that signed anybody in, there is nothing to say. */
export function tellReclaimed({ post, inBackground }: Told, reclaimed: Reclaimed | undefined): void {
  if (!reclaimed || (!reclaimed.password && reclaimed.providers.length === 0)) return
  inBackground('account reclaimed mail', () => post.send({ kind: 'account-reclaimed', ...reclaimed }))
}
