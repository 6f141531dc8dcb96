/** The login of the service: made by the owner of the tables, with the service's rights and none of the owner's. */
import { MigrationRefused } from '../../../core/errors.js'
import { type Queries, quoted, type ServiceRole, unlessDenied } from '../service-role.js'

/** Makes that login where it is missing, with the password of its address, and a member of the service's role. */
export async function grantService(owner: Queries, role: ServiceRole, address: string): Promise<string> {
  const { username, password } = new URL(address)
  const login = decodeURIComponent(username)
  const [state] = await owner.unsafe<{ exists: boolean; owns: boolean }[]>(
    'select exists(select from pg_roles where rolname = $1) as exists, $1 = current_user as owns',
    [login],
  )
  if (!state || state.owns) {
    throw new MigrationRefused(
      'DATABASE_URL and MINTMARK_OWNER_DATABASE_URL use the same login: give the service a login of its own',
    )
  }
  if (!state.exists) {
    const secret = decodeURIComponent(password).replaceAll("'", "''")
    await unlessDenied(
      owner.unsafe(`create role ${quoted(login)} login password '${secret}'`),
      `let this login create roles, or have somebody with that right create ${quoted(login)}`,
    )
  }
  await becomeMember(owner, role, login)
  // Beside the role's, for a login that does not inherit.
  await owner.unsafe(`grant connect on database ${quoted(role.database)} to ${quoted(login)}`)
  return login
}

/** Only where it may not act as the role already: granting wants a right that anybody who migrates may not have. */
export async function becomeMember(owner: Queries, role: ServiceRole, login: string): Promise<void> {
  // Since Postgres 16 anybody who makes a role is a member of it that may not act as it.
  const [state] = await owner.unsafe<{ may: boolean }[]>(
    `select case when current_setting('server_version_num')::int >= 160000
      then pg_has_role($1, $2, 'SET') else pg_has_role($1, $2, 'MEMBER') end as may`,
    [login, role.name],
  )
  if (state?.may) return
  const grant = `grant ${quoted(role.name)} to ${quoted(login)}`
  await unlessDenied(owner.unsafe(grant), `have somebody with that right run \`${grant}\``)
}
