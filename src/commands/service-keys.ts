/** `mintmark service-keys …`: the keys by which internal services call, made (shown this once), listed and revoked. */
import { type Command, InvalidArgumentError } from 'commander'
import { type PlatformPermission, platformPermissions } from '../core/authority.js'
import type { ServiceKeyId } from '../core/principal.js'
import { newServiceCredential, revealServiceCredential } from '../core/service-credential.js'
import { describeServiceKey } from '../http/admin/describe.js'
import { postgresServiceKeyStore } from '../store/postgres/tenants/service-key-store.js'
import { faultsOfKey, type ServiceKey } from '../tenants/service-keys.js'
import { limited, printable, tenantId } from './arguments.js'
import { CommandFailed, configuration, operator, withDatabase } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, time } from './table.js'

interface Wanted extends Form {
  readonly scope: string[]
  readonly audience?: string[]
  readonly tenant?: string
  readonly days?: number
}

export function serviceKeyCommands(program: Command): void {
  const keys = program.command('service-keys').description('keys by which internal services call')
  keys
    .command('list')
    .description('all keys, revoked ones too')
    .option(...limited)
    .option(...asJson)
    .action(async (form: ListForm) => {
      await withDatabase(configuration(), async database => {
        const store = postgresServiceKeyStore(database)
        await sayList(form, page => store.list(page), listing)
      })
    })

  keys
    .command('create')
    .argument('<name>', 'which service it is for')
    .description('make a key; it is shown this once')
    .requiredOption('--scope <scope...>', `what it may do: ${platformPermissions.join(', ')}`)
    .option('--audience <audience...>', 'with the scope introspect: whose tokens it may ask about')
    .option('--tenant <id>', 'bind it to one tenant')
    .option('--days <n>', 'after how many days it expires (default: never)', days)
    .option(...asJson)
    .action(create)

  keys
    .command('revoke')
    .argument('<key>', 'its public id, as in the list')
    .description('refuse a key from the next request on')
    // Its id is 22 characters of base64url: it may begin with a dash.
    .allowUnknownOption()
    .option(...asJson)
    .action(async (id: string, form: Form) => {
      await withDatabase(configuration(), async database => {
        const answer = await postgresServiceKeyStore(database).revoke(id as ServiceKeyId, operator)
        if (answer === 'unknown')
          throw new CommandFailed(`there is no service key ${id}: \`mintmark service-keys list\` has them`)
        say(form, { id, revoked: true }, `Revoked ${id}.`)
      })
    })
}

async function create(name: string, wanted: Wanted): Promise<void> {
  const unknown = wanted.scope.filter(scope => !(platformPermissions as readonly string[]).includes(scope))
  if (unknown.length > 0)
    throw new CommandFailed(
      `there is no scope ${unknown.join(', ')}: it takes ${platformPermissions.join(', ')}`,
    )
  const grant = {
    scopes: [...new Set(wanted.scope)] as PlatformPermission[],
    audiences: [...new Set(wanted.audience ?? [])],
    tenant: wanted.tenant === undefined ? null : tenantId(wanted.tenant),
  }
  const faults = faultsOfKey(grant)
  if (faults.length > 0) throw new CommandFailed(faults.join('\n'))
  await withDatabase(configuration(), async database => {
    const credential = newServiceCredential()
    const lifetimeSeconds = wanted.days === undefined ? undefined : wanted.days * 86_400
    const key = { ...grant, id: credential.id, secretHash: credential.secret.hash(), lifetimeSeconds }
    const made = await postgresServiceKeyStore(database).create({ ...key, name: printable(name) }, operator)
    if (made === 'unknown')
      throw new CommandFailed(`there is no tenant ${wanted.tenant}: \`mintmark tenants list\` has them`)
    if (typeof made === 'string') throw new Error(made)
    const shown = revealServiceCredential(credential)
    say(wanted, { ...describeServiceKey(made), key: shown }, [
      `Made ${made.id} (${name}). Keep it now, it is not shown again:`,
      shown,
    ])
  })
}

export const listing: Listing<ServiceKey> = {
  heads: ['KEY', 'NAME', 'STATE', 'SCOPES', 'AUDIENCES', 'TENANT', 'EXPIRES', 'LAST USED'],
  row: ({ id, name, state, scopes, audiences, tenant, expiresAt, lastUsedAt }) => [
    id,
    name,
    state,
    cell(scopes),
    cell(audiences),
    cell(tenant),
    expiresAt === null ? 'never' : time(expiresAt),
    lastUsedAt === null ? 'never' : time(lastUsedAt),
  ],
  document: describeServiceKey,
  none: 'No service key.',
}

function days(text: string): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > 3650) throw new InvalidArgumentError('It takes 1 to 3650.')
  return value
}
