/** `mintmark service-keys …`: the keys by which internal services call, made (shown this once), listed and revoked. */
import { InvalidArgumentError, Option } from 'commander'
import { type PlatformPermission, platformPermissions } from '../core/authority.js'
import { CommandFailed } from '../core/errors.js'
import type { ServiceKeyId } from '../core/principal.js'
import { type FeedTerms, feedTerms } from '../core/service-key.js'
import { describeServiceKey, type ServiceKey } from '../tenants/service-keys.js'
import { limited, noTenant, printable, tenantId } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, details, time } from './table.js'

interface Wanted extends Form {
  readonly scope: string[]
  readonly audience?: string[]
  readonly tenant?: string
  readonly days?: number
  readonly feedMode?: 'required' | 'preferred'
  readonly feedMaxAge?: number
}

export function serviceKeyCommands(program: OperatorCommand): void {
  const keys = program.command('service-keys').description('manage the keys of internal services')
  keys
    .command('list')
    .description('list all keys, including revoked ones')
    .option(...limited)
    .acts(({ serviceKeys }, form: ListForm) => sayList(form, serviceKeys.list, listing))

  keys
    .command('show')
    .argument('<key>', 'its public id, as in the list')
    .description('show one key: what it may do, and when it was last used')
    .allowUnknownOption()
    .acts(async ({ serviceKeys }, id: string, form: Form) => {
      const key = answered(await serviceKeys.read(id as ServiceKeyId), noKey(id))
      say(form, describeServiceKey(key), shown(key))
    })

  keys
    .command('create')
    .argument('<name>', 'the service that the key is for')
    .description('create a key; it is shown only once')
    .requiredOption('--scope <scope...>', `scopes of the key: ${platformPermissions.join(', ')}`)
    .option(
      '--audience <audience...>',
      'with the scope introspect: the audiences whose tokens it may introspect',
    )
    .option('--tenant <id>', 'limit the key to one tenant')
    .option('--days <n>', 'days until the key expires (default: never)', days)
    .addOption(
      new Option(
        '--feed-mode <mode>',
        'with the scope feed: what its verifiers do when the feed is too old (default: preferred)',
      ).choices(['required', 'preferred']),
    )
    .option(
      '--feed-max-age <n>',
      'with the scope feed: seconds after which the feed is too old (default: 15)',
      maxAge,
    )
    .option(...asJson)
    .action(create)

  keys
    .command('revoke')
    .argument('<key>', 'its public id, as in the list')
    .description('revoke a key; it is rejected from the next request on')
    // Its id is 22 characters of base64url: it may begin with a dash.
    .allowUnknownOption()
    .acts(async ({ serviceKeys }, id: string, form: Form) => {
      answered(await serviceKeys.revoke(id as ServiceKeyId, operator), noKey(id))
      say(form, { id, revoked: true }, `Revoked ${id}.`)
    })
}

const noKey = (id: string) => ({
  unknown: `there is no service key ${id}: run \`mintmark service-keys list\` to see all`,
})

async function create(name: string, wanted: Wanted): Promise<void> {
  const unknown = wanted.scope.filter(scope => !(platformPermissions as readonly string[]).includes(scope))
  if (unknown.length > 0)
    throw new CommandFailed(`there is no scope ${unknown.join(', ')}: use ${platformPermissions.join(', ')}`)
  const key = {
    name: printable(name),
    scopes: [...new Set(wanted.scope)] as PlatformPermission[],
    audiences: [...new Set(wanted.audience ?? [])],
    tenant: wanted.tenant === undefined ? null : tenantId(wanted.tenant),
    lifetimeSeconds: wanted.days === undefined ? undefined : wanted.days * 86_400,
    feed: termsOf(wanted),
  }
  await withOperator(wanted, async ({ serviceKeys }) => {
    const answer = await serviceKeys.create(key, operator)
    const { made, key: shown } = answered(answer, noTenant(wanted.tenant ?? ''))
    if (shown === null) throw new Error('a key of an operator was made before')
    say(wanted, { ...describeServiceKey(made), key: shown }, [
      `Created ${made.id} (${name}). Store it now; it is not shown again:`,
      shown,
    ])
  })
}

function termsOf({ feedMode, feedMaxAge }: Wanted): FeedTerms | undefined {
  if (feedMode === undefined && feedMaxAge === undefined) return undefined
  return feedTerms({ mode: feedMode, maxAgeSeconds: feedMaxAge })
}

export const listing: Listing<ServiceKey> = {
  heads: ['KEY', 'NAME', 'STATE', 'SCOPES', 'AUDIENCES', 'TENANT', 'EXPIRES', 'LAST USED', 'FEED'],
  row: key => Object.values(facts(key)),
  document: describeServiceKey,
  none: 'No service keys.',
}

function facts({ id, name, state, scopes, audiences, tenant, expiresAt, lastUsedAt, feed }: ServiceKey) {
  return {
    key: id,
    name,
    state,
    scopes: cell(scopes),
    audiences: cell(audiences),
    tenant: cell(tenant),
    expires: instant(expiresAt),
    'last used': instant(lastUsedAt),
    feed: feed ? `${feed.mode}, ${feed.maxAgeSeconds} s` : cell(null),
  }
}

const shown = (key: ServiceKey) => details({ ...facts(key), created: time(key.createdAt) })
const instant = (seconds: number | null) => (seconds === null ? 'never' : time(seconds))

function days(text: string): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > 3650) throw new InvalidArgumentError('Write a number from 1 to 3650.')
  return value
}

function maxAge(text: string): number {
  const value = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (value < 5 || value > 900) throw new InvalidArgumentError('Write a number of seconds from 5 to 900.')
  return value
}
