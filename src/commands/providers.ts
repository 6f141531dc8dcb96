/** `mintmark providers …`: manage the identity providers that users can sign in with. */
import { CommandFailed } from '../core/errors.js'
import type { Provider } from '../federation/provider.js'
import { describeProvider } from '../federation/providers.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, type Listing, say, sayList } from './output.js'
import { doesNotWork, noProvider, shown } from './provider-shown.js'
import { providerWriteCommands } from './provider-writes.js'

interface EndForm extends Form {
  readonly endSessions?: boolean
}

const ending = ['--end-sessions', 'also end the sessions that were created through it'] as const

export function providerCommands(program: OperatorCommand): void {
  const providers = program
    .command('providers')
    .description('manage the identity providers that users can sign in with')

  providers
    .command('list')
    .description('list all providers')
    .acts(async ({ providers, config }, form: Form) => {
      const items = await providers.list()
      await sayList(form, async () => ({ items, next: undefined }), listing(config.issuer))
    })

  providers
    .command('show')
    .argument('<id>')
    .description('show one provider, with the addresses to register there')
    .acts(async ({ providers, config: { issuer } }, id: string, form: Form) => {
      const provider = answered(await providers.read(id), noProvider(id))
      say(form, describeProvider(issuer, provider), shown(issuer, provider))
    })

  providerWriteCommands(providers)

  providers
    .command('check')
    .argument('<id>')
    .description('read its discovery document and keys as a sign-in would; the exit code is 1 if that fails')
    .acts(async ({ providers }, id: string, form: Form) => {
      const answer = await providers.check(id, operator)
      if (answer === 'unknown') throw new CommandFailed(noProvider(id).unknown)
      if (answer !== 'answers') throw doesNotWork(id, answer.unreachable)
      say(form, { ok: true }, `${id} can be reached, and its discovery document matches its configuration.`)
    })

  for (const [name, state, done] of [
    ['enable', 'enabled', 'Enabled'],
    ['disable', 'disabled', 'Disabled'],
  ] as const) {
    const command = providers
      .command(name)
      .argument('<id>')
      .description(
        state === 'enabled'
          ? 'enable a provider again'
          : 'disable a provider: nobody can sign in with it; its sessions continue',
      )
      .option(...asJson)
    if (state === 'disabled') command.option(...ending)
    command.action((id: string, form: EndForm) =>
      withOperator(form, async ({ providers, config: { issuer } }) => {
        const answer = await providers.turn(id, state, form.endSessions ?? false, operator)
        const { provider, ended } = answered(answer, noProvider(id))
        const document = { ...describeProvider(issuer, provider), ...(ended !== undefined && { ended }) }
        say(form, document, `${done} ${id}.${endedInWords(ended)}`)
      }),
    )
  }

  providers
    .command('delete')
    .argument('<id>')
    .description(
      'delete a provider and every link to it; users without another sign-in method set a password by email',
    )
    .option(...ending)
    .acts(async ({ providers }, id: string, form: EndForm) => {
      const answer = await providers.remove(id, form.endSessions ?? false, operator)
      const { ended } = answered(answer, noProvider(id))
      say(
        form,
        { id, deleted: true, ...(ended !== undefined && { ended }) },
        `Deleted ${id}.${endedInWords(ended)}`,
      )
    })
}

const endedInWords = (ended: number | undefined) =>
  ended === undefined ? '' : ` ${ended} ${ended === 1 ? 'session was' : 'sessions were'} ended.`

const listing = (issuer: string): Listing<Provider> => ({
  heads: ['ID', 'NAME', 'STATE', 'SIGN-UP', 'ISSUER'],
  row: ({ id, name, state, signUp, issuer }) => [id, name, state, signUp, issuer],
  document: provider => describeProvider(issuer, provider),
  none: 'No providers.',
})
