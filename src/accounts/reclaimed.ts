/** Telling the person, by mail, what the first verification of their address has removed. */

import type { InBackground } from '../core/background.js'
import type { Post, Reclaimed } from '../core/mail.js'

export interface Told {
  readonly post: Post
  readonly inBackground: InBackground
}

/** Where there was nothing that signed anybody in, there is nothing to say. */
export function tellReclaimed({ post, inBackground }: Told, reclaimed: Reclaimed | undefined): void {
  if (!reclaimed || (!reclaimed.password && reclaimed.providers.length === 0)) return
  inBackground('account reclaimed mail', () => post.send({ kind: 'account-reclaimed', ...reclaimed }))
}
