/** A person who comes in through their mailbox: by its link, by an invitation, or by a provider that answers for it. */
import type { Occasion } from '../../audit.js'
import type { UserId } from '../../principal.js'
import { auditDone } from './audit-log.js'
import type { Queries } from './database.js'
import { users } from './schema.js'

/** Undefined: the address is an account's by now. */
export async function insertPerson(
  tx: Queries,
  { asTyped, canonical }: { readonly asTyped: string; readonly canonical: string },
  name: string | undefined,
  occasion: Occasion,
): Promise<UserId | undefined> {
  const [person] = await tx
    .insert(users)
    .values({ email: asTyped, canonicalEmail: canonical, name: name ?? null, addressProved: true })
    .onConflictDoNothing({ target: users.canonicalEmail })
    .returning({ id: users.id })
  if (!person) return undefined
  const user = person.id as UserId
  await auditDone(tx, 'account.created', { actor: user, occasion }, { subject: user })
  return user
}
