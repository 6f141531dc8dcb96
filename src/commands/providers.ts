/** `mintmark providers …`: the OpenID providers that people may sign in through. */
import type { Command } from 'commander'
import { endingSessions } from '../boot/session-stores.js'
import type { Provider } from '../federation/provider.js'
import type { ProviderStore } from '../federation/store.js'
import { postgresProviderStore } from '../store/postgres/federation/provider-store.js'
import { configuration, operator, withDatabase } from './context.js'
import { asJson, type Form, type Listing, say, sayList } from './output.js'
import { describeProvider, existing, reachable, shown, storedSecret } from './provider-shown.js'
import { providerWriteCommands, type WithProviders } from './provider-writes.js'

interface EndForm extends Form {
  readonly endSessions?: boolean
}

const ending = ['--end-sessions', 'end the sessions that were opened through it, too'] as const

export function providerCommands(program: Command): void {
  const providers = program
    .command('providers')
    .description('the OpenID providers that people may sign in through')

  providers
    .command('list')
    .description('all providers')
    .option(...asJson)
    .action((form: Form) =>
      withProviders(async (store, { issuer }) => {
        const items = await store.list()
        await sayList(form, async () => ({ items, next: undefined }), listing(issuer))
      }),
    )

  providers
    .command('show')
    .argument('<id>')
    .description('one provider, with the addresses to register there')
    .option(...asJson)
    .action((id: string, form: Form) =>
      withProviders(async (store, { issuer }) => {
        const provider = existing(id, await store.read(id))
        say(form, describeProvider(issuer, provider), shown(issuer, provider))
      }),
    )

  providerWriteCommands(providers, withProviders)

  providers
    .command('check')
    .argument('<id>')
    .description('read its document and keys as a sign-in would; exit code 1 where that does not work')
    .option(...asJson)
    .action((id: string, form: Form) =>
      withProviders(async (store, config) => {
        const provider = existing(id, await store.read(id))
        await reachable(provider, () => storedSecret(config, provider))
        say(form, { ok: true }, `${id} answers, and its document is as declared.`)
      }),
    )

  for (const [name, state, done] of [
    ['enable', 'enabled', 'Enabled'],
    ['disable', 'disabled', 'Disabled'],
  ] as const) {
    const command = providers
      .command(name)
      .argument('<id>')
      .description(
        state === 'enabled'
          ? 'let people sign in through it again'
          : 'let nobody sign in through it, from now on; sessions that it opened live on',
      )
      .option(...asJson)
    if (state === 'disabled') command.option(...ending)
    command.action((id: string, form: EndForm) =>
      withProviders(async (store, { issuer }) => {
        const answer = await store.change(id, { state }, undefined, operator)
        if (answer === 'issuer-taken' || answer === 'linked') throw new Error(answer)
        const provider = existing(id, answer)
        const ended = form.endSessions ? await store.endSessions(id, operator) : undefined
        const document = { ...describeProvider(issuer, provider), ...(ended !== undefined && { ended }) }
        say(form, document, `${done} ${id}.${endedInWords(ended)}`)
      }),
    )
  }

  providers
    .command('delete')
    .argument('<id>')
    .description('remove a provider and every link to it; who has no other way in sets a password by mail')
    .option(...ending)
    .option(...asJson)
    .action((id: string, form: EndForm) =>
      withProviders(async store => {
        const ended = form.endSessions ? await endedFirst(store, id) : undefined
        existing(id, await store.remove(id, operator))
        say(
          form,
          { id, deleted: true, ...(ended !== undefined && { ended }) },
          `Deleted ${id}.${endedInWords(ended)}`,
        )
      }),
    )
}

/** Repeated after a failure it finds the provider, and what it had opened, where it left them. */
async function endedFirst(store: ProviderStore, id: string): Promise<number> {
  existing(id, await store.change(id, { state: 'disabled' }, undefined, operator))
  return store.endSessions(id, operator)
}

const endedInWords = (ended: number | undefined) =>
  ended === undefined ? '' : ` ${ended} ${ended === 1 ? 'session was' : 'sessions were'} ended.`

const withProviders: WithProviders = work => {
  const config = configuration()
  return withDatabase(config, database =>
    work(postgresProviderStore(database, endingSessions(config)), config, database),
  )
}

const listing = (issuer: string): Listing<Provider> => ({
  heads: ['ID', 'NAME', 'STATE', 'SIGN-UP', 'ISSUER'],
  row: ({ id, name, state, signUp, issuer }) => [id, name, state, signUp, issuer],
  document: provider => describeProvider(issuer, provider),
  none: 'No provider.',
})
