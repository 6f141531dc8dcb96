/** `mintmark users change`, `disable`, `enable` and `delete`: what an operator does to users who are there. */
import { Option } from 'commander'
import { describeUser, type User } from '../accounts/users.js'
import type { Operator } from '../boot/operator.js'
import { type PlatformRole, platformRoles } from '../core/authority.js'
import { CommandFailed } from '../core/errors.js'
import { printable, replacement, who } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, noUser, operator, personOf, withOperator } from './context.js'
import { asJson, type Form, note, say } from './output.js'

interface Change extends Form {
  /** `false`: forget it. */
  readonly name?: string | false
  readonly platformRole?: PlatformRole[]
  readonly platformRoles: boolean
}

export function userChangeCommands(users: OperatorCommand): void {
  users
    .command('change')
    .argument('<user>', who)
    .description('rename a user, or set their platform roles')
    .option('--name <name>', 'name of the user')
    .option('--no-name', 'remove the name')
    .addOption(
      new Option('--platform-role <role...>', 'all platform roles of the user').choices(
        Object.keys(platformRoles),
      ),
    )
    .option('--no-platform-roles', 'remove all platform roles')
    .option(...asJson)
    .action(change)

  users
    .command('disable')
    .argument('<user>', who)
    .description('disable a user: end all sessions and allow no sign-in until enabled')
    .option(...asJson)
    .action((user: string, form: Form) => turn(user, form, 'disable', 'Disabled'))

  users
    .command('enable')
    .argument('<user>', who)
    .description('enable a user; earlier sessions stay ended')
    .option(...asJson)
    .action((user: string, form: Form) => turn(user, form, 'enable', 'Enabled'))

  users
    .command('delete')
    .argument('<user>', who)
    .description('delete a user with password, memberships and sessions; the audit log stays')
    .acts(async (domain, user: string, form: Form) => {
      const id = await personOf(domain, user)
      const before = await domain.users.read(id)
      answered(await domain.users.remove(id, operator), noUser(user))
      say(form, { id, deleted: true }, `Deleted ${id}.`)
      await noteTheLast(domain, before, form)
    })
}

async function change(
  user: string,
  { name, platformRole, platformRoles: keep, ...form }: Change,
): Promise<void> {
  const to = {
    ...(name !== undefined && { name: name === false ? null : printable(name) }),
    platformRoles: replacement({ given: platformRole, keep, option: 'platform-role', most: 10 }),
  }
  if (!('name' in to) && to.platformRoles === undefined)
    throw new CommandFailed(
      'nothing to change: give at least one of --name, --no-name, --platform-role, --no-platform-roles',
    )
  await withOperator(form, async domain => {
    const id = await personOf(domain, user)
    const before = await domain.users.read(id)
    const changed = answered(await domain.users.change(id, to, operator), noUser(user))
    say(
      form,
      describeUser(changed),
      `Changed ${id}: platform roles ${changed.platformRoles.join(', ') || 'none'}.`,
    )
    await noteTheLast(domain, before, form)
  })
}

async function turn(user: string, form: Form, which: 'disable' | 'enable', done: string): Promise<void> {
  await withOperator(form, async domain => {
    const { users } = domain
    const id = await personOf(domain, user)
    const before = await users.read(id)
    answered(await users[which](id, operator), noUser(user))
    say(form, describeUser(answered(await users.read(id), noUser(user))), `${done} ${id}.`)
    await noteTheLast(domain, before, form)
  })
}

/** Nobody but an operator takes the last administrator away: they learn that none is left. */
async function noteTheLast({ users }: Operator, before: User | undefined, form: Form): Promise<void> {
  if (!before?.platformRoles.includes('administrator') || (await users.hasAdministrator())) return
  note(
    form,
    'No active administrator is left. Appoint one: `mintmark users change <user> --platform-role administrator`.',
  )
}
