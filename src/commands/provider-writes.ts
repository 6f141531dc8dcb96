/** `mintmark providers add` and `change`: what a provider is. */
import { InvalidArgumentError, Option } from 'commander'
import type { Operator } from '../boot/operator.js'
import { CommandFailed } from '../core/errors.js'
import { given } from '../core/given.js'
import { type Preset, type PresetName, plain, presets } from '../federation/presets.js'
import {
  type ClaimMap,
  type Provider,
  type ProviderChange,
  type ProviderGrant,
  redirectAddress,
  type SignUpPolicy,
  withDefaults,
} from '../federation/provider.js'
import { describeProvider, type Providers } from '../federation/providers.js'
import { roleOf, tenantOf } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator } from './context.js'
import { type Form, say } from './output.js'
import { doesNotWork, noProvider, shown } from './provider-shown.js'
import { lineOfStdin } from './stdin.js'

interface Wanted extends Form {
  readonly preset?: PresetName
  readonly name?: string
  readonly issuer?: string
  readonly clientId?: string
  readonly clientSecretStdin?: boolean
  readonly scope?: string[]
  readonly host?: string[]
  readonly directory?: string[]
  readonly signUp?: SignUpPolicy
  readonly signUpDomain?: string[]
  readonly authoritativeFor?: string[]
  readonly claim?: ClaimMap
  readonly grant?: RawGrant[]
  readonly countsAsProof?: boolean
  readonly aal2?: string[]
}
type RawGrant = Readonly<Record<'claim' | 'value' | 'tenant' | 'role', string>>

export function providerWriteCommands(providers: OperatorCommand): void {
  const writing = (command: OperatorCommand) =>
    command
      .option('--name <name>', 'label of its sign-in button')
      .option('--issuer <issuer>', 'its issuer, exactly as in its discovery document')
      .option('--client-id <id>', 'client id of this service at the provider')
      .option('--client-secret-stdin', 'read the client secret from standard input, as one line')
      .option('--scope <scope...>', 'all scopes to request')
      .option('--host <host...>', 'other hosts that its discovery document may refer to')
      .option('--directory <id...>', 'directories that may sign in, for an issuer with {tenantid}')
      .addOption(
        new Option('--sign-up <policy>', 'who may create an account by signing in').choices([
          'open',
          'domains',
          'invitation',
          'off',
        ] satisfies SignUpPolicy[]),
      )
      .option('--sign-up-domain <domain...>', 'for --sign-up domains: domains of the verified addresses')
      .option(
        '--authoritative-for <domain...>',
        'domains whose addresses it verifies: accounts are linked automatically',
      )
      .option('--claim <member=claim...>', 'claim to use for name or email_verified', claimMap)
      .option('--grant <claim=value:tenant:role...>', 'give users with this claim value this role', grantOf)
      .option('--aal2 <acr:value|amr:value...>', 'acr or amr values that mean aal2')

  writing(
    providers
      .command('add')
      .argument('<id>', 'short id, as in /v1/federation/<id>')
      .description('add a provider that users can sign in with')
      .addOption(
        new Option('--preset <name>', 'use known settings of a provider').choices(Object.keys(presets)),
      ),
  )
    .option('--counts-as-proof', 'accept authentication at the provider for step-up')
    .acts(async (domain, id: string, wanted: Wanted) => {
      const preset: Preset = wanted.preset === undefined ? plain : presets[wanted.preset]
      const named = withDefaults(id, preset, await changeOf(wanted, preset.claims, domain))
      if (!named.issuer) throw new CommandFailed('give --issuer, or a --preset that has one')
      if (!named.clientId) throw new CommandFailed('give --client-id')
      if (!wanted.clientSecretStdin)
        throw new CommandFailed('give the client secret on standard input, with --client-secret-stdin')
      const answer = await domain.providers.create(named, await clientSecret(), operator)
      sayWritten(wanted, domain, stored(id, named.issuer, answer), `Added ${id}.`)
    })

  writing(
    providers
      .command('change')
      .argument('<id>')
      .description(
        'change a provider; a list replaces the current one, but a claim only the claim of that name',
      ),
  )
    .option('--counts-as-proof', 'accept authentication at the provider for step-up')
    .option('--no-counts-as-proof', 'accept the provider for sign-in only, not for step-up')
    .addOption(new Option('--none <list...>', 'lists to make empty').choices(Object.keys(empty)))
    .acts(async (domain, id: string, wanted: Wanted & { none?: (keyof typeof empty)[] }) => {
      const before = answered(await domain.providers.read(id), noProvider(id))
      const emptied: ProviderChange = Object.assign({}, ...(wanted.none ?? []).map(list => empty[list]))
      const { claims } = { ...before, ...emptied }
      const to = { ...emptied, ...(await changeOf(wanted, claims, domain)) }
      if (Object.keys(to).length === 0 && !wanted.clientSecretStdin)
        throw new CommandFailed('nothing to change: give at least one option, see --help')
      const secret = wanted.clientSecretStdin ? await clientSecret() : undefined
      const answer = await domain.providers.change(id, to, secret, operator)
      if (answer === 'linked')
        throw new CommandFailed(
          `users are linked by their subject at ${before.issuer}, so the issuer cannot change: add the other issuer as a new provider`,
        )
      sayWritten(wanted, domain, stored(id, to.issuer ?? before.issuer, answer), `Changed ${id}.`)
    })
}

type Written = Awaited<ReturnType<Providers['create'] | Providers['change']>>

function stored(id: string, issuer: string, answer: Exclude<Written, 'linked'>): Provider {
  const written = answered(answer, {
    ...noProvider(id),
    'id-taken': `the provider ${id} already exists: use \`mintmark providers change\``,
    'issuer-taken': `another provider already has the issuer ${issuer}: change that one (see \`mintmark providers list\`)`,
  })
  if ('unreachable' in written) throw doesNotWork(id, written.unreachable)
  return written
}

/** By the names of their options. */
const empty = {
  hosts: { hosts: [] },
  directories: { directories: [] },
  'authoritative-for': { authoritativeFor: [] },
  claims: { claims: {} },
  grants: { grants: [] },
  aal2: { aal2: [] },
} as const satisfies Record<string, ProviderChange>

/** Only what was given, and that lists go with what they are read for; claims are added to those of before. */
async function changeOf(wanted: Wanted, claims: ClaimMap | undefined, domain: Operator) {
  const { name, issuer, clientId, scope, host, directory, signUp, signUpDomain, claim } = wanted
  const { authoritativeFor, grant, countsAsProof, aal2 } = wanted
  const grants = grant && (await Promise.all(grant.map(raw => resolved(raw, domain))))
  const noDomains = signUp !== undefined && signUp !== 'domains' ? [] : undefined
  return given({
    name,
    issuer,
    clientId,
    scopes: scope,
    hosts: host,
    directories: directory,
    signUp,
    signUpDomains: signUpDomain ?? noDomains,
    authoritativeFor,
    claims: claim && { ...claims, ...claim },
    grants,
    countsAsProof,
    aal2: aal2 ?? (countsAsProof === false ? [] : undefined),
  })
}

async function resolved({ claim, value, tenant, role }: RawGrant, domain: Operator): Promise<ProviderGrant> {
  const place = await tenantOf(domain, tenant)
  return { claim, value, tenant: place.id, role: roleOf(place, role).id }
}

function sayWritten(form: Form, { config }: Operator, provider: Provider, done: string): void {
  const { issuer } = config
  const register = `Register this redirect URI at the provider: ${redirectAddress(issuer, provider.id)}`
  say(form, describeProvider(issuer, provider), [done, register, '', ...shown(issuer, provider)])
}

function claimMap(text: string, before: ClaimMap = {}): ClaimMap {
  const [, member, claim] = /^(name|email_verified)=(.+)$/.exec(text) ?? []
  if (member === undefined) throw new InvalidArgumentError('Write name=<claim> or email_verified=<claim>.')
  return { ...before, [member]: claim }
}

/** The role's name is last, and may have colons; the claim has no `=`; the tenant is a UUID. */
function grantOf(text: string, before: RawGrant[] = []): RawGrant[] {
  const [, claim, value, tenant, role] = /^([^=]+)=(.+):([0-9a-f-]{36}):(.+)$/.exec(text) ?? []
  if (claim === undefined || value === undefined || tenant === undefined || role === undefined)
    throw new InvalidArgumentError('Write <claim>=<value>:<tenant id>:<role>.')
  return [...before, { claim, value, tenant, role }]
}

const clientSecret = () =>
  lineOfStdin('give the client secret as one line of visible characters', /^[\x20-\x7e]{1,1000}$/)
