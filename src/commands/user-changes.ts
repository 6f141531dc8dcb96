/** `mintmark users change`, `disable`, `enable` and `delete`: what an operator does to people who are there. */
import { Option } from 'commander'
import { describeUser } from '../accounts/users.js'
import { type PlatformRole, platformRoles } from '../core/authority.js'
import { CommandFailed } from '../core/errors.js'
import { printable, replacement, who } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, noUser, operator, personOf, withOperator } from './context.js'
import { asJson, type Form, say } from './output.js'

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
    .description('rename a person, or set what they may do here beside all tenants')
    .option('--name <name>', 'what the person is called')
    .option('--no-name', 'forget what the person is called')
    .addOption(
      new Option('--platform-role <role...>', 'all platform roles that they have from now on').choices(
        Object.keys(platformRoles),
      ),
    )
    .option('--no-platform-roles', 'take all platform roles away')
    .option(...asJson)
    .action(change)

  users
    .command('disable')
    .argument('<user>', who)
    .description('end all sessions of a person, and open no other until they are enabled')
    .option(...asJson)
    .action((user: string, form: Form) => turn(user, form, 'disable', 'Disabled'))

  users
    .command('enable')
    .argument('<user>', who)
    .description('let a person sign in again; sessions from before stay ended')
    .option(...asJson)
    .action((user: string, form: Form) => turn(user, form, 'enable', 'Enabled'))

  users
    .command('delete')
    .argument('<user>', who)
    .description('delete a person with password, memberships and sessions; the audit log stays')
    .acts(async (domain, user: string, form: Form) => {
      const id = await personOf(domain, user)
      answered(await domain.users.remove(id, operator), noUser(user))
      say(form, { id, deleted: true }, `Deleted ${id}.`)
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
    throw new CommandFailed('say what to change: --name, --no-name, --platform-role, --no-platform-roles')
  await withOperator(form, async domain => {
    const id = await personOf(domain, user)
    const changed = answered(await domain.users.change(id, to, operator), noUser(user))
    say(
      form,
      describeUser(changed),
      `Changed ${id}: platform roles ${changed.platformRoles.join(', ') || 'none'}.`,
    )
  })
}

async function turn(user: string, form: Form, which: 'disable' | 'enable', done: string): Promise<void> {
  await withOperator(form, async domain => {
    const { users } = domain
    const id = await personOf(domain, user)
    answered(await users[which](id, operator), noUser(user))
    say(form, describeUser(answered(await users.read(id), noUser(user))), `${done} ${id}.`)
  })
}
