/** What an operator changes of a provider, withdraws, or ends with it: tried before it is stored, and safe to repeat. */
import tap, { test } from 'tap'
import { clientId, clientSecret, Visitor } from '../federation/world.js'
import { tenant } from '../harness/world.js'
import { commandLineWithInput } from '../support/command.js'
import { members } from '../support/hostile-lies.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { providerCommands } from './providers.js'

const { service, say, provider, adding, refusal: refused } = await providerCommands(tap)
const { sql } = service.database
const refusal = (...args: string[]) => refused('', 'providers', ...args)

async function change(...args: string[]) {
  const { code, out, err } = await say('', 'providers', 'change', 'acme', '--json', ...args)
  if (code !== 0) throw new Error(err)
  return JSON.parse(out)
}

const added = await say(
  `${clientSecret}\n`,
  ...adding('acme', '--sign-up', 'open', '--counts-as-proof'),
  ...['--aal2', 'amr:mfa', '--host', 'keys.example.com'],
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

test('a claim is added to those that are mapped already, also by a preset', async t => {
  await change('--none', 'claims')
  await change('--claim', 'email_verified=xms_edov')
  t.same((await change('--claim', 'name=nickname')).claims, {
    name: 'nickname',
    email_verified: 'xms_edov',
  })
  t.match(await refusal('change', 'acme', '--name', 'eman\u202eyalp'), /printable characters/)
  await change('--none', 'claims')
})

test('a secret is sealed only with what the service opens', async t => {
  const foreign = await commandLineWithInput(t, service.database)
  const answer = await foreign('another secret\n', 'providers', 'change', 'acme', '--client-secret-stdin')
  t.equal(answer.code, 1)
  t.match(
    answer.err,
    /sealed with another one: run the command with the same MINTMARK_KEYS_FOLDER and ISSUER/,
  )
})

test('the issuer of a provider stays while anybody is linked', async t => {
  const other = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => other.close())
  const ada = new Visitor(service)
  t.equal((await ada.signIn()).statusCode, 303)
  t.match(await refusal('change', 'acme', '--issuer', other.issuer), /users are linked by their subject at/)
  t.match(await change('--issuer', provider.issuer), { issuer: provider.issuer }, 'the same is none other')
  await sql`delete from users`
  t.match(await change('--issuer', other.issuer), { issuer: other.issuer })
  await change('--issuer', provider.issuer)
})

test('a change of where a provider is, or of who asks there, is tried before it is stored', async t => {
  const [before] = await sql`select * from providers`
  const elsewhere = 'http://127.0.0.1:9'
  t.match(await refusal('change', 'acme', '--issuer', elsewhere), /127\.0\.0\.1:9 could not be reached/)
  const other = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => other.close())
  other.lies = { discovery: members({ jwks_uri: 'http://127.0.0.1:9/jwks' }) }
  t.match(await refusal('change', 'acme', '--issuer', other.issuer), /jwks_uri .* not https/)
  provider.lies = { discovery: members({ issuer: other.issuer }) }
  t.match(await refusal('change', 'acme', '--host', 'keys.example.com'), /has the issuer/)
  t.match(await refusal('change', 'acme', '--client-id', 'another'), /has the issuer/)
  const given = await say('another secret\n', 'providers', 'change', 'acme', '--client-secret-stdin')
  t.equal(given.code, 1)
  t.match(given.err, /has the issuer/)
  t.same(await sql`select * from providers`, [before])
  t.match(await change('--name', 'Acme staff'), { name: 'Acme staff' }, 'a name needs no provider')
  provider.lies = {}
  other.lies = {}
  t.match(await change('--issuer', other.issuer), { issuer: other.issuer })
  t.match(await change('--issuer', provider.issuer), { issuer: provider.issuer })
})

test('a provider is deleted with its sessions by the same command again, where it failed between', async t => {
  const visitor = new Visitor(service)
  t.equal((await visitor.signIn('acme')).statusCode, 303)
  await sql`create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$`
  await sql`create trigger refuse before update on sessions execute function refuse()`
  const failed = await say('', 'providers', 'delete', 'acme', '--end-sessions')
  t.equal(failed.code, 1)
  t.equal((await visitor.open('/v1/federation/acme')).statusCode, 404, 'nobody new signs in meanwhile')
  await sql`drop trigger refuse on sessions`
  const { out, err } = await say('', 'providers', 'delete', 'acme', '--end-sessions')
  t.equal(out, 'Deleted acme. 1 session was ended.\n', err)
  t.equal((await visitor.scripts.get('/v1/session')).statusCode, 401)
  t.match(await refusal('delete', 'acme', '--end-sessions'), /there is no provider acme/)
})
