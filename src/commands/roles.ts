/** `mintmark roles …`: the roles of a tenant, and what they permit. Operators may give everything. */
import { builtInRoles } from '../core/authority.js'
import { CommandFailed } from '../core/errors.js'
import { describeRole, longestRoles } from '../tenants/tenants.js'
import { permissions, printable, roleOf, tenantOf, wholeList } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, say } from './output.js'

interface Wanted extends Form {
  readonly name?: string
  readonly permission?: string[]
  readonly permissions: boolean
}

export function roleCommands(program: OperatorCommand): void {
  const roles = program
    .command('roles')
    .description('manage the roles of a tenant and their permissions (`tenants show` lists them)')
  roles
    .command('create')
    .argument('<tenant>', 'its id')
    .argument('<name>')
    .description('create a custom role in a tenant')
    .option('--permission <permission...>', 'permission of the role, like orders:read')
    .option('--no-permissions', 'the role has no permissions')
    .option(...asJson)
    .action(async (id: string, name: string, form: Wanted) => {
      const wanted = { name: printable(name), permissions: permitted(form) }
      await withOperator(form, async domain => {
        const tenant = await tenantOf(domain, id)
        const role = answered(await domain.tenants.createRole(tenant.id, wanted, operator), notDone(id, name))
        say(form, describeRole(role), `Created ${role.id} (${name}).`)
      })
    })

  roles
    .command('change')
    .argument('<tenant>', 'its id')
    .argument('<role>', 'its id or name')
    .description('change a role; every later check and token has the change')
    .option('--name <name>', 'new name')
    .option('--permission <permission...>', 'all permissions of the role')
    .option('--no-permissions', 'the role has no permissions')
    .option(...asJson)
    .action(async (id: string, text: string, form: Wanted) => {
      const wanted = {
        ...(form.name !== undefined && { name: printable(form.name) }),
        permissions: permitted(form),
      }
      await withOperator(form, async domain => {
        const tenant = await tenantOf(domain, id)
        const role = { ...roleOf(tenant, text), ...wanted }
        const answer = await domain.tenants.changeRole(tenant.id, role, operator)
        say(
          form,
          describeRole(answered(answer, notDone(id, role.name))),
          `Changed ${role.id} (${role.name}).`,
        )
      })
    })

  roles
    .command('delete')
    .argument('<tenant>', 'its id')
    .argument('<role>', 'its id or name')
    .description('delete a role: its members lose it at once. Built-in roles cannot be deleted')
    .acts(async (domain, id: string, text: string, form: Form) => {
      const tenant = await tenantOf(domain, id)
      const role = roleOf(tenant, text)
      if (Object.hasOwn(builtInRoles, role.id))
        throw new CommandFailed(
          `${text} is a built-in role and cannot be deleted: use \`mintmark roles change\` to empty it`,
        )
      answered(await domain.tenants.removeRole(tenant.id, role.id, operator), notDone(id, text))
      say(form, { id: role.id, deleted: true }, `Deleted ${role.id} (${role.name}).`)
    })
}

function permitted({ permission: given, permissions: keep }: Wanted): readonly string[] {
  return permissions(wholeList({ given, keep, option: 'permission', most: 200 }))
}

const notDone = (tenant: string, role: string) => ({
  'name-taken': `the tenant ${tenant} already has a role ${role}: use \`mintmark roles change\``,
  unknown: `the tenant ${tenant} or its role ${role} was deleted in the meantime: check with \`mintmark tenants list\`, and try again`,
  'too-large': `the roles of the tenant ${tenant} would be too large for an access token: give this role fewer or shorter permissions (all names and permissions together may have ${longestRoles} bytes)`,
})
