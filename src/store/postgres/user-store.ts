/** People as operators create them, in Postgres. */

import { noRequest } from '../../audit.js'
import type { UserStore } from '../../directory/users.js'
import type { UserId } from '../../principal.js'
import { writeAudit } from './audit-log.js'
import type { Database } from './database.js'
import { passwords, users } from './schema.js'

export function postgresUserStore(database: Database): UserStore {
  return {
    create({ email, name, phc }) {
      return database.transaction(async tx => {
        const [person] = await tx
          .insert(users)
          .values({ email: email.asTyped, canonicalEmail: email.canonical, name: name ?? null })
          .onConflictDoNothing({ target: users.canonicalEmail })
          .returning({ id: users.id })
        if (!person) return 'address-taken'
        if (phc !== undefined) await tx.insert(passwords).values({ userId: person.id, phc })
        await writeAudit(tx, {
          action: 'account.created',
          outcome: 'done',
          subject: person.id,
          occasion: noRequest,
        })
        return { created: person.id as UserId }
      })
    },
  }
}
