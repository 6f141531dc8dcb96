/** `mintmark members …`: who is a member of a tenant, with which roles. Operators may give everything. */
import { describeMembership, type Membership, type Tenant } from '../tenants/tenants.js'
import { limited, roleNames, roleOf, tenantOf, who, wholeList } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, personOf, withOperator } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, time } from './table.js'

interface Wanted extends Form {
  readonly role?: string[]
  readonly roles: boolean
  readonly suspended?: boolean
}
export function memberCommands(program: OperatorCommand): void {
  const members = program.command('members').description('manage the members of a tenant')
  members
    .command('list')
    .argument('<tenant>', 'its id')
    .description('list the members of a tenant')
    .option(...limited)
    .acts(async (domain, id: string, form: ListForm) => {
      const tenant = await tenantOf(domain, id)
      await sayList(form, page => domain.members.list(tenant.id, page), listing(tenant))
    })

  members
    .command('set')
    .argument('<tenant>', 'its id')
    .argument('<user>', who)
    .description('add a member, or set the roles and the state of one')
    .option('--role <role...>', 'all roles of the member, by id or name')
    .option('--no-roles', 'remove all roles')
    .option('--suspended', 'suspend the member; a later `set` without this option activates it')
    .option(...asJson)
    .action(set)

  members
    .command('remove')
    .argument('<tenant>', 'its id')
    .argument('<user>', who)
    .description('remove a member at once')
    .acts(async (domain, id: string, user: string, form: Form) => {
      const { id: tenant } = await tenantOf(domain, id)
      const person = await personOf(domain, user)
      answered(await domain.members.remove(tenant, person, operator), {
        unknown: `${user} is not a member of the tenant ${tenant}: run \`mintmark members list ${tenant}\` to see all`,
      })
      say(form, { tenant, user: person, removed: true }, `Removed ${person} from ${tenant}.`)
    })
}

async function set(id: string, user: string, wanted: Wanted): Promise<void> {
  const names = wholeList({ given: wanted.role, keep: wanted.roles, option: 'role', most: 50 })
  await withOperator(wanted, async domain => {
    const tenant = await tenantOf(domain, id)
    const roleIds = names.map(text => roleOf(tenant, text).id)
    const person = await personOf(domain, user)
    const state = wanted.suspended ? 'suspended' : 'active'
    const membership = { tenant: tenant.id, user: person, roleIds, state } as const
    const gone = `the tenant ${id}, a role or ${user} was deleted in the meantime: check them, and try again`
    const set = answered(await domain.members.put(membership, operator), {
      unknown: gone,
      'unknown-role': gone,
      'last-owner': gone,
    })
    const roles = roleNames(tenant, set.roleIds).join(', ') || 'no role'
    say(wanted, describeMembership(set), `Set ${person} in ${id}: ${set.state}, ${roles}.`)
  })
}

function listing(tenant: Tenant): Listing<Membership> {
  return {
    heads: ['USER', 'EMAIL', 'NAME', 'STATE', 'ROLES', 'SINCE'],
    row: ({ user, email, name, state, roleIds, createdAt }) => [
      user,
      email,
      cell(name),
      state,
      cell(roleNames(tenant, roleIds)),
      time(createdAt),
    ],
    document: describeMembership,
    none: 'No members.',
  }
}
