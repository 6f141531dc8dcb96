/** The login of the service: made by the owner of the tables, with the service's rights and none of the owner's. */
import { StartRefused } from '../../errors.js'
import { asFault, serviceRole } from './connection.js'
import { client } from './socket.js'

/** Makes the login of `serviceUrl` where it is missing, with that password, and a member of the service's role. */
export async function grantService(ownerUrl: string, serviceUrl: string): Promise<string> {
  const { username, password } = new URL(serviceUrl)
  const login = decodeURIComponent(username)
  const owner = client(
    { url: ownerUrl },
    { max: 1, fetch_types: false, onnotice: () => {}, connect_timeout: 5 },
  )
  try {
    const [state] = await owner<{ exists: boolean; owns: boolean; database: string }[]>`
      select exists(select from pg_roles where rolname = ${login}) as exists,
        ${login} = current_user as owns, current_database() as database`
    if (!state || state.owns) {
      throw new StartRefused([
        'DATABASE_URL and MINTMARK_OWNER_DATABASE_URL are the same login: give the service one of its own',
      ])
    }
    if (!state.exists) {
      const secret = decodeURIComponent(password).replaceAll("'", "''")
      await owner.unsafe(`create role ${quoted(login)} login password '${secret}'`)
    }
    await owner.unsafe(`grant ${serviceRole} to ${quoted(login)}`)
    await owner.unsafe(`grant connect on database ${quoted(state.database)} to ${quoted(login)}`)
    return login
  } catch (error) {
    throw asFault(error, 'unknown')
  } finally {
    await owner.end({ timeout: 1 })
  }
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}
