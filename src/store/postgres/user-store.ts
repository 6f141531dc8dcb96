/** People as operators create them, in Postgres. */
import type { UserStore } from '../../directory/users.js'
import type { UserId } from '../../principal.js'
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
        return { created: person.id as UserId }
      })
    },
  }
}
