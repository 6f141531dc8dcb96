/** Programs that ask the issuer about a token, each configured as its own documentation says: by a service key as a client. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as client from 'openid-client'
import { type Test, test } from 'tap'
import type { WaysWorld } from '../harness/ways.js'
import { serviceKey } from '../harness/world.js'
import { freePort } from '../support/free-port.js'
import { root } from '../support/project.mjs'
import { eventually } from '../support/service.js'
import { reachableIssuer, type Walked, walked } from './issuer.js'
import { built, isRefused, run, spring } from './programs.js'

interface Stage {
  readonly world: WaysWorld
  readonly tokens: readonly Walked[]
  readonly id: string
  readonly key: string
  /** Whoever had this one is signed out. */
  readonly ended: string
}

async function stage(t: Test, most?: number): Promise<Stage> {
  const world = await reachableIssuer(t)
  const { sql } = world.service.database
  const [gone, ...tokens] = await walked(world, most)
  await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where user_id = ${gone?.user ?? ''}`
  const { id, key } = await serviceKey(sql, { scopes: ['introspect'], audiences: ['mintmark'] })
  return { world, tokens, id, key, ended: gone?.token ?? '' }
}

test('openid-client finds the endpoint by the issuer, in both documents, and asks as a client', async t => {
  const { world, tokens, id, key, ended } = await stage(t)
  const { issuer } = world.service
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    const config = await client.discovery(new URL(issuer), id, undefined, client.ClientSecretBasic(key), {
      execute: [client.allowInsecureRequests],
      algorithm,
    })
    for (const { token, way, user } of tokens) {
      const said = await client.tokenIntrospection(config, token)
      t.match(said, { active: true, sub: user, token_type: 'Bearer' }, `${algorithm}: ${way.way}`)
    }
    t.same(await client.tokenIntrospection(config, ended), { active: false })
  }
  const wrong = await client.discovery(new URL(issuer), id, undefined, client.ClientSecretBasic(`${key}x`), {
    execute: [client.allowInsecureRequests],
  })
  await t.rejects(client.tokenIntrospection(wrong, ended), /WWW-Authenticate/)
})

test('Spring Security’s introspector asks as a client', async t => {
  const command = spring()
  if ('missing' in command) {
    if (process.env.CI) t.fail(`Spring Security needs ${command.missing}`)
    else t.pass('Spring Security', { skip: `no ${command.missing}` })
    return
  }
  const { world, tokens, id, key, ended } = await stage(t)
  const asked = [...tokens.map(({ token }) => token), ended]
  const lines = await run(command, [world.service.issuer, 'mintmark', id, key], asked)
  for (const [index, { way, user }] of tokens.entries())
    t.match(lines[index], `sub=${user}`, `${way.way}: ${lines[index]}`)
  t.ok(isRefused(lines.at(-1)), 'one whose session is over')
})

const modules = '/usr/lib/apache2/modules'
const apacheMissing =
  !existsSync(join(modules, 'mod_auth_openidc.so')) && 'libapache2-mod-auth-openidc is not installed'
if (apacheMissing && process.env.CI) throw new Error(apacheMissing)

/** What docs/verifying.md shows, with this issuer and this key in the place of its own. */
function documentedConfiguration(issuer: string, id: string, key: string): string {
  const page = readFileSync(join(root, 'docs/verifying.md'), 'utf8')
  const shown = /```apache\n(.*?)```/s.exec(page)?.[1] ?? ''
  return shown
    .replace('https://id.example.com', issuer)
    .replace(/(OIDCOAuthClientID) .*/, `$1 ${id}`)
    .replace(/(OIDCOAuthClientSecret) .*/, `$1 ${key}`)
    .replace('aud:orders-api', 'aud:mintmark')
}

test('mod_auth_openidc takes the metadata, and lets in whoever the issuer vouches for', {
  skip: apacheMissing,
}, async t => {
  const { world, tokens, id, key, ended } = await stage(t, 2)
  const [{ token, user } = { token: '', user: '' }] = tokens
  const port = await freePort()
  const folder = join(built, 'apache')
  mkdirSync(join(folder, 'site/orders'), { recursive: true })
  // As root it serves as somebody else.
  for (const path of [built, folder]) chmodSync(path, 0o755)
  writeFileSync(join(folder, 'site/orders/index.html'), 'the orders')
  const load = (...names: string[]) =>
    names.map(name => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n')
  const configuration = `
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/log
DocumentRoot ${folder}/site
<Directory ${folder}/site>
  AllowOverride None
</Directory>
${load('mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'auth_openidc')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
OIDCCryptoPassphrase of-no-matter-here
${documentedConfiguration(world.service.issuer, id, key)}`
  writeFileSync(join(folder, 'httpd.conf'), configuration)
  const server = spawn('/usr/sbin/apache2', ['-X', '-f', join(folder, 'httpd.conf')], { stdio: 'pipe' })
  const over = new Promise<void>(resolve => server.once('close', () => resolve()))
  t.teardown(async () => {
    server.kill('SIGTERM')
    await over
  })
  const status = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await fetch(`http://127.0.0.1:${port}/orders/`, { headers })
    return `${answer.status} ${(await answer.text()).trim()}`
  }
  await eventually(() => status().catch(() => undefined), 20)
  const log = () => readFileSync(join(folder, 'log'), 'utf8')
  t.match(await status(), /^401/)
  t.equal(await status(token), '200 the orders', log())
  t.equal(await status(token), '200 the orders', 'again')
  const { sql } = world.service.database
  await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where user_id = ${user}`
  t.match(await status(token), /^401/, 'the session ended a moment ago')
  t.match(await status(ended), /^401/, 'one whose session is over')
  t.match(await status('nonsense'), /^401/)
  t.notMatch(log(), 'metadata (', 'it takes the document as it is')
  t.notMatch(log(), token, 'no token in its log')
})
