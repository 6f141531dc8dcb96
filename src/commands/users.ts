/** `mintmark users …`: who there is, and creating users. */
import { describeUser, type User } from '../accounts/users.js'
import type { Operator } from '../boot/operator.js'
import { parseEmailAddress } from '../core/email-address.js'
import { CommandFailed } from '../core/errors.js'
import { describeMembership, type Membership } from '../tenants/tenants.js'
import { limited, roleNames, who } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, noUser, personOf, withOperator } from './context.js'
import type { WantedUser } from './create-user.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, details, table, time } from './table.js'
import { userChangeCommands } from './user-changes.js'
import { userFactorCommands } from './user-factors.js'

export function userCommands(program: OperatorCommand): void {
  const users = program.command('users').description('manage users')
  users
    .command('list')
    .description('list all users, or the one with an address')
    .option('--email <address>', 'only the user with this address')
    .option(...limited)
    .option(...asJson)
    .action(list)

  users.command('show').argument('<user>', who).description('show one user').acts(show)

  users
    .command('create')
    .argument('<email>')
    .description('create an account; the user gets a link by email to choose a password')
    .option('--name <name>', 'name of the user')
    .option('--password-stdin', 'read the password from standard input instead of sending a link')
    .option(...asJson)
    .action(async (email: string, wanted: WantedUser) => {
      const { createUser } = await import('./create-user.js')
      await createUser(email, wanted)
    })

  users
    .command('send-link')
    .argument('<user>', who)
    .description('send the link to choose a password again, to a user who has none yet')
    .acts(async (domain, user: string, form: Form) => {
      const { sendLink } = await import('./create-user.js')
      await sendLink(domain, user, form)
    })

  userChangeCommands(users)
  userFactorCommands(users)
}

async function list({ email, ...form }: ListForm & { email?: string }): Promise<void> {
  const parsed = email === undefined ? undefined : parseEmailAddress(email)
  if (parsed && !parsed.ok)
    throw new CommandFailed(
      `${email} is not a valid email address (${parsed.reason}): write it like ada@example.com`,
    )
  await withOperator(form, ({ users }) =>
    sayList(form, page => users.list(page, parsed?.address.canonical), listing),
  )
}

const listing: Listing<User> = {
  heads: ['USER', 'EMAIL', 'NAME', 'STATE', 'PLATFORM ROLES', 'CREATED'],
  row: ({ id, email, name, state, platformRoles: roles, createdAt }) => [
    id,
    email,
    cell(name),
    state,
    cell(roles),
    time(createdAt),
  ],
  document: describeUser,
  none: 'No users.',
}

async function show(domain: Operator, who: string, form: Form): Promise<void> {
  const id = await personOf(domain, who)
  const user = answered(await domain.users.read(id), noUser(who))
  const memberships = await domain.members.of(id)
  const facts = {
    user: id,
    email: user.email,
    name: cell(user.name),
    state: user.state,
    'platform roles': cell(user.platformRoles),
    created: time(user.createdAt),
  }
  say(form, { ...describeUser(user), memberships: memberships.map(describeMembership) }, [
    ...details(facts),
    ...(form.json || memberships.length === 0 ? [] : ['', ...(await tenantsOf(domain, memberships))]),
  ])
}

/** Where somebody is a member, with names beside the ids. */
async function tenantsOf({ tenants }: Operator, memberships: readonly Membership[]): Promise<string[]> {
  const rows: string[][] = []
  for (const { tenant: id, state, roleIds } of memberships) {
    const tenant = await tenants.read(id)
    if (tenant) rows.push([id, tenant.name, state, cell(roleNames(tenant, roleIds))])
  }
  return table(['TENANT', 'NAME', 'MEMBERSHIP', 'ROLES'])(rows)
}
