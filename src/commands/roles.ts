/** `mintmark roles …`: the roles of a tenant, and what they permit. Operators may give everything. */
import type { Command } from 'commander'
import { builtInRoles } from '../core/authority.js'
import { postgresTenantStore } from '../store/postgres/tenants/tenant-store.js'
import { longestRoles } from '../tenants/tenants.js'
import { permissions, printable, roleOf, tenantOf, wholeList } from './arguments.js'
import { CommandFailed, configuration, operator, withDatabase } from './context.js'
import { asJson, type Form, say } from './output.js'

interface Wanted extends Form {
  readonly name?: string
  readonly permission?: string[]
  readonly permissions: boolean
}

export function roleCommands(program: Command): void {
  const roles = program
    .command('roles')
    .description('the roles of a tenant (`tenants show` lists them), and what they permit')
  roles
    .command('create')
    .argument('<tenant>', 'its id')
    .argument('<name>')
    .description('create a role of a tenant’s own')
    .option('--permission <permission...>', 'what it permits, like orders:read')
    .option('--no-permissions', 'it permits nothing')
    .option(...asJson)
    .action(async (id: string, name: string, form: Wanted) => {
      const wanted = { name: printable(name), permissions: permitted(form) }
      await withDatabase(configuration(), async database => {
        const tenant = await tenantOf(database, id)
        const answer = await postgresTenantStore(database).createRole(tenant.id, wanted, operator)
        const role = done(answer, id, name)
        say(form, role, `Created ${role.id} (${name}).`)
      })
    })

  roles
    .command('change')
    .argument('<tenant>', 'its id')
    .argument('<role>', 'its id or name')
    .description('change what a role permits, in every check and token from then on')
    .option('--name <name>', 'what it is called from now on')
    .option('--permission <permission...>', 'all that it permits from now on')
    .option('--no-permissions', 'it permits nothing')
    .option(...asJson)
    .action(async (id: string, text: string, form: Wanted) => {
      const wanted = {
        ...(form.name !== undefined && { name: printable(form.name) }),
        permissions: permitted(form),
      }
      await withDatabase(configuration(), async database => {
        const tenant = await tenantOf(database, id)
        const role = { ...roleOf(tenant, text), ...wanted }
        const answer = await postgresTenantStore(database).changeRole(tenant.id, role, operator)
        const changed = done(answer, id, role.name)
        say(form, changed, `Changed ${role.id} (${role.name}).`)
      })
    })

  roles
    .command('delete')
    .argument('<tenant>', 'its id')
    .argument('<role>', 'its id or name')
    .description('delete a role: its members lose it at once. The built-in ones stay')
    .option(...asJson)
    .action(async (id: string, text: string, form: Form) => {
      await withDatabase(configuration(), async database => {
        const tenant = await tenantOf(database, id)
        const role = roleOf(tenant, text)
        if (Object.hasOwn(builtInRoles, role.id))
          throw new CommandFailed(
            `${text} is in every tenant and stays: \`mintmark roles change\` empties it`,
          )
        const answer = await postgresTenantStore(database).removeRole(tenant.id, role.id, operator)
        done(answer, id, text)
        say(form, { id: role.id, deleted: true }, `Deleted ${role.id} (${role.name}).`)
      })
    })
}

function permitted({ permission: given, permissions: keep }: Wanted): readonly string[] {
  return permissions(wholeList({ given, keep, option: 'permission', most: 200 }))
}

type Refusal = 'unknown' | 'forbidden' | 'name-taken' | 'too-large' | 'repeated-differently'

function done<T>(answer: T, tenant: string, role: string): Exclude<T, Refusal> {
  if (answer === 'name-taken')
    throw new CommandFailed(
      `the tenant ${tenant} has a role ${role} already: \`mintmark roles change\` changes it`,
    )
  if (answer === 'unknown')
    throw new CommandFailed(
      `the tenant ${tenant} or its role ${role} was deleted meanwhile: look (\`mintmark tenants list\`), and try again`,
    )
  if (answer === 'too-large')
    throw new CommandFailed(
      `the roles of the tenant ${tenant} would not fit into an access token: give this one fewer or shorter permissions (the names and permissions of all may take ${longestRoles} bytes together)`,
    )
  if (answer === 'forbidden' || answer === 'repeated-differently') throw new Error(String(answer))
  return answer as Exclude<T, Refusal>
}
