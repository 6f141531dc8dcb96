/** `mintmark tenants …`: tenants, their names and whether they are suspended. */
import { describeTenant, type Tenant, type TenantStore } from '../tenants/tenants.js'
import { limited, noTenant, printable, tenantId, tenantOf } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, details, table, time } from './table.js'

export function tenantCommands(program: OperatorCommand): void {
  const tenants = program.command('tenants').description('manage tenants')
  tenants
    .command('list')
    .description('list all tenants')
    .option(...limited)
    .acts(({ tenants }, form: ListForm) => sayList(form, tenants.list, listing))

  tenants
    .command('create')
    .argument('<name>')
    .description('create a tenant, with the roles owner, admin and member')
    .option(...asJson)
    .action(async (name: string, form: Form) => {
      printable(name)
      await withOperator(form, async ({ tenants }) => {
        const tenant = answered(await tenants.create(name, operator), {})
        say(form, describeTenant(tenant), `Created ${tenant.id} (${name}).`)
      })
    })

  tenants
    .command('show')
    .argument('<tenant>', 'its id')
    .description('show one tenant with its roles')
    .acts(async (domain, id: string, form: Form) => {
      const tenant = await tenantOf(domain, id)
      say(form, describeTenant(tenant), shown(tenant))
    })

  tenants
    .command('rename')
    .argument('<tenant>', 'its id')
    .argument('<name>')
    .description('rename a tenant')
    .option(...asJson)
    .action((id: string, name: string, form: Form) =>
      change(id, { name: printable(name) }, form, `Renamed ${id} to ${name}.`),
    )

  tenants
    .command('suspend')
    .argument('<tenant>', 'its id')
    .description('suspend a tenant for all its members until it is activated')
    .option(...asJson)
    .action((id: string, form: Form) => change(id, { state: 'suspended' }, form, `Suspended ${id}.`))

  tenants
    .command('activate')
    .argument('<tenant>', 'its id')
    .description('activate a suspended tenant')
    .option(...asJson)
    .action((id: string, form: Form) => change(id, { state: 'active' }, form, `Activated ${id}.`))

  tenants
    .command('delete')
    .argument('<tenant>', 'its id')
    .description('delete a tenant with its roles and memberships; its users and the audit log stay')
    .acts(async ({ tenants }, id: string, form: Form) => {
      answered(await tenants.remove(tenantId(id), operator), noTenant(id))
      say(form, { id, deleted: true }, `Deleted ${id}.`)
    })
}

async function change(
  id: string,
  to: Parameters<TenantStore['change']>[1],
  form: Form,
  done: string,
): Promise<void> {
  await withOperator(form, async ({ tenants }) => {
    const tenant = answered(await tenants.change(tenantId(id), to, operator), noTenant(id))
    say(form, describeTenant(tenant), done)
  })
}

const listing: Listing<Tenant> = {
  heads: ['TENANT', 'NAME', 'STATE', 'CREATED'],
  row: ({ id, name, state, createdAt }) => [id, name, state, time(createdAt)],
  document: describeTenant,
  none: 'No tenants.',
}

function shown({ id, name, state, roles, createdAt }: Tenant): string[] {
  const rows = roles.map(role => [role.id, role.name, cell(role.permissions)])
  return [
    ...details({ tenant: id, name, state, created: time(createdAt) }),
    '',
    ...table(['ROLE', 'NAME', 'PERMISSIONS'])(rows),
  ]
}
