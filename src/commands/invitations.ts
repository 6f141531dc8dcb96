/** `mintmark invitations …`: a place in a tenant, offered by mail. */
import type { Operator } from '../boot/operator.js'
import { CommandFailed } from '../core/errors.js'
import { describeInvitation, type Invitation } from '../tenants/invitations.js'
import type { Tenant } from '../tenants/tenants.js'
import { limited, mailable, roleNames, roleOf, tenantOf, wholeList } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, mailWorks, operator, withOperator } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, time } from './table.js'

interface Wanted extends Form {
  readonly role?: string[]
  readonly roles: boolean
}

export function invitationCommands(program: OperatorCommand): void {
  const invitations = program.command('invitations').description('invite users to a tenant by email')
  invitations
    .command('list')
    .argument('<tenant>', 'its id')
    .description('list pending invitations')
    .option(...limited)
    .acts(async (domain, id: string, form: ListForm) => {
      const tenant = await tenantOf(domain, id)
      await sayList(form, page => domain.invitations.list(tenant.id, page), listing(tenant))
    })

  invitations
    .command('create')
    .argument('<tenant>', 'its id')
    .argument('<email>')
    .description('invite an address by email; this replaces an earlier invitation of the same address')
    .option('--role <role...>', 'roles of the new member, by id or name')
    .option('--no-roles', 'invite without a role')
    .option(...asJson)
    .action(create)

  invitations
    .command('withdraw')
    .argument('<tenant>', 'its id')
    .argument('<invitation>', 'its id, as in the list')
    .description('withdraw an invitation; its link stops working')
    .acts(async (domain, id: string, invitation: string, form: Form) => {
      const tenant = await tenantOf(domain, id)
      answered(await domain.invitations.withdraw(tenant.id, invitation, operator), {
        unknown: `there is no invitation ${invitation}: run \`mintmark invitations list ${id}\` to see all`,
      })
      say(form, { id: invitation, withdrawn: true }, `Withdrew ${invitation}.`)
    })
}

async function create(id: string, email: string, wanted: Wanted): Promise<void> {
  const names = wholeList({ given: wanted.role, keep: wanted.roles, option: 'role', most: 50 })
  const address = mailable(email)
  await withOperator(wanted, async domain => {
    const tenant = await tenantOf(domain, id)
    const roleIds = names.map(text => roleOf(tenant, text).id)
    await mailWorks(domain)
    const answer = await domain.invitations.invite(tenant.id, address, roleIds, operator)
    const gone = `the tenant ${id} or a role was deleted in the meantime: check the tenant, and try again`
    const made = answered(answer, { unknown: gone, 'unknown-role': gone })
    await mailed(domain, id, email)
    say(wanted, describeInvitation(made), `Invited ${email} (${made.id}).`)
  })
}

async function mailed(domain: Operator, id: string, email: string): Promise<void> {
  await domain.mailed().catch(error => {
    throw new CommandFailed(
      `the invitation was not sent (${(error as Error).message}): run \`mintmark invitations create ${id} ${email}\` again when mail works`,
    )
  })
}

function listing(tenant: Tenant): Listing<Invitation> {
  return {
    heads: ['INVITATION', 'EMAIL', 'ROLES', 'INVITED BY', 'SINCE', 'UNTIL'],
    row: ({ id, email, roleIds, inviter, createdAt, expiresAt }) => [
      id,
      email,
      cell(roleNames(tenant, roleIds)),
      cell(inviter),
      time(createdAt),
      time(expiresAt),
    ],
    document: describeInvitation,
    none: 'No invitations.',
  }
}
