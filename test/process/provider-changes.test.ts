/** What an operator changes of a provider, withdraws, or ends with it: tried before it is stored, and safe to repeat. */
import tap, { test } from 'tap'
import { tenant } from '../harness/world.js'
import { commandLineWithInput } from '../support/command.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { testService } from '../support/service.js'

const clientSecret = 'a secret that only the two of them know'
const service = await testService(tap)
const { sql } = service.database
const say = await commandLineWithInput(tap, service.database, `${service.folder}/keys`)
const provider = await startHostileProvider({ clientId: 'mintmark', clientSecret })
tap.teardown(() => provider.close())

async function change(...args: string[]) {
  const { code, out, err } = await say('', 'providers', 'change', 'acme', '--json', ...args)
  if (code !== 0) throw new Error(err)
  return JSON.parse(out)
}

async function refusal(...args: string[]): Promise<string> {
  const { code, out, err } = await say('', 'providers', ...args)
  return code === 1 && out === '' ? err : `it was not refused: ${out}${err}`
}

const added = await say(
  `${clientSecret}\n`,
  ...[
    'providers',
    'add',
    'acme',
    '--issuer',
    provider.issuer,
    '--client-id',
    'mintmark',
    '--sign-up',
    'open',
  ],
  ...['--client-secret-stdin', '--counts-as-proof', '--aal2', 'amr:mfa', '--host', 'keys.example.com'],
  ...['--authoritative-for', 'example.com', '--claim', 'name=name'],
  ...['--grant', `groups=staff:${await tenant(sql)}:member`],
)

test('what was declared can be withdrawn, and what goes with it goes too', async t => {
  t.equal(added.code, 0, added.err)
  const lists = ['hosts', 'directories', 'authoritative-for', 'claims', 'grants', 'aal2']
  const emptied = await change('--none', ...lists)
  const { hosts, authoritative_for, claims, grants, counts_as_proof, aal2 } = emptied
  t.same([hosts, authoritative_for, claims, grants, counts_as_proof, aal2], [[], [], {}, [], true, []])
  const again = await change('--none', 'claims', 'aal2', '--claim', 'name=name', '--aal2', 'amr:mfa')
  t.same([again.claims, again.aal2], [{ name: 'name' }, ['amr:mfa']], 'they are emptied first')
  const weaker = await change('--no-counts-as-proof')
  t.same([weaker.counts_as_proof, weaker.aal2], [false, []])
  t.match(await refusal('change', 'acme', '--none', 'scopes'), /choices are hosts, /)
})
