/** `mintmark keys …` beside a running service: the timeline, a rotation, a leak, another key-encryption key, the doctor. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { type Test, test } from 'tap'
import { application, person } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { commandLine } from '../support/command.js'
import { ageKeys, unguarded } from '../support/keys.js'
import { eventually, issuer, testService } from '../support/service.js'

async function world(t: Test) {
  const service = await testService(t, { lookEveryMs: 100 })
  const { sql } = service.database
  const keysFolder = join(service.folder, 'keys')
  const mintmark = await commandLine(t, service.database, keysFolder)
  await application(sql, { clientId: 'spa' })
  const browser = new Browser(service.app, null, (await person(sql)).cookie)
  const says = async (...args: string[]) => {
    const { code, out, err } = await mintmark('keys', ...args)
    t.equal(code, 0, `${args.join(' ')}: ${err}`)
    return out
  }
  return {
    ...{ service, sql, keysFolder, browser, says },
    json: async (...args: string[]) => JSON.parse(await says(...args, '--json')),
    async refused(...args: string[]) {
      const { code, out, err } = await mintmark('keys', ...args)
      t.same([code, out], [1, ''], args.join(' '))
      return err
    },
    async mint() {
      const answer = await browser.post('/v1/token', { client_id: 'spa' })
      t.equal(answer.statusCode, 200, answer.body)
      const { access_token: token } = answer.json()
      return { token, kid: decodeProtectedHeader(token).kid as string }
    },
    jwks: async () => (await service.app.inject('/.well-known/jwks.json')).json(),
    rows: () => sql`select * from signing_keys order by published_at, kid`,
  }
}

const state = (document: { items: { kid: string; state: string }[] }, kid: string) =>
  document.items.find(key => key.kid === kid)?.state

test('the list says what signs, what stands by, and until when each verifies', async t => {
  const { says, json, mint } = await world(t)
  const { kid } = await mint()
  const text = await says('list')
  t.match(text, /^KEY +STATE +PUBLISHED +SIGNS FROM +SIGNS UNTIL +VERIFIES UNTIL +SEALED UNDER\n/)
  t.match(text, new RegExp(`^${kid} +signing +\\d{4}-.*first$`, 'm'))
  t.match(text, new RegExp(`^${kid} signs now; rotation is due at \\d{4}-`, 'm'))
  t.match(text, /^[\w-]{43} is next: eligible from \d{4}-/m)
  const document = await json('list')
  t.equal(document.items.length, 2)
  t.equal(state(document, kid), 'signing')
})

test('a rotation can be tried, is made once, and nobody notices it', async t => {
  const { says, json, mint, sql, rows, jwks } = await world(t)
  const { kid, token } = await mint()
  await ageKeys(sql, 7560)
  const before = await rows()
  const dry = await says('rotate', '--dry-run')
  t.match(dry, /^Dry run: nothing was changed/)
  t.match(dry, / takes over at \d{4}-/)
  t.strictSame(await rows(), before)
  const planned = await json('rotate')
  t.match(planned, { changed: true, dry_run: false })
  const next = planned.items.find((key: { state: string }) => key.state === 'scheduled')
  t.equal(planned.items.length, 3)
  t.match(await says('rotate'), /^A rotation is already scheduled/)
  t.equal((await mint()).kid, kid, 'not yet')
  await ageKeys(sql, 61)
  const after = await mint()
  t.equal(after.kid, next.kid)
  const keys = createLocalJWKSet(await jwks())
  for (const one of [token, after.token]) await t.resolves(jwtVerify(one, keys, { issuer }))
})

test('KY-06: a leaked key signs no more from the next token on, leaves the list, and nobody is signed out', async t => {
  const { says, json, mint, sql, browser, jwks, refused } = await world(t)
  const leaked = await mint()
  const dry = await json('rotate', '--compromised', leaked.kid, '--dry-run')
  t.equal(state(dry, leaked.kid), 'compromised')
  t.equal((await mint()).kid, leaked.kid, 'a dry run ends nothing')
  const text = await says('rotate', '--compromised', leaked.kid, '--since', '2026-01-31T12:00:00Z')
  t.match(text, /No session was ended\.\n/)
  t.match(text, /How long signatures of a leaked key are still accepted/)
  t.match(text, /at most 30 s/)
  t.match(text, /7500 s, the maximum/)
  t.match(text, new RegExp(`^${leaked.kid} +compromised since 2026-01-31T12:00:00Z`, 'm'))
  t.not((await mint()).kid, leaked.kid)
  const gone = async () =>
    !(await jwks()).keys.some(({ kid }: { kid: string }) => kid === leaked.kid) || undefined
  await eventually(gone)
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  t.match((await sql`select sealed from signing_keys where kid = ${leaked.kid}`)[0], { sealed: null })
  t.match(await says('rotate', '--compromised', leaked.kid), /since|compromised/)
  t.match(await says('rotate', '--compromised', leaked.kid), /already marked as compromised/)
  t.match(await refused('rotate', '--compromised', '-nobody'), /there is no such key/)
  t.match(await refused('rotate', '--compromised', 'all', '--kek', 'first'), /give exactly one of/)
  t.match(await refused('rotate', '--since', '2026-01-01'), /needs --compromised or --kek/)
  t.match(await refused('rotate', '--compromised', 'all', '--since', '2999-01-01'), /in the future/)
  t.match(await refused('rotate', '--compromised', 'all', '--since', 'yesterday'), /2026-01-31T12:00:00Z/)
})

test('all keys, or all of a key-encryption key, those in old backups too: a fresh key signs at once', async t => {
  const { says, json, mint, keysFolder, refused, sql } = await world(t)
  const first = await mint()
  await says('rotate', '--compromised', 'all')
  const second = await mint()
  t.not(second.kid, first.kid)
  t.match(await refused('rotate', '--kek', 'first'), /first add another one/)
  t.match(await refused('rotate', '--kek', 'unknown'), /there is no such key/)
  await writeFile(join(keysFolder, 'second.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  await says('reseal')
  t.equal((await mint()).kid, second.kid)
  t.same(
    (await sql`select distinct kek_id from signing_keys where sealed is not null`).map(row => row.kek_id),
    ['second'],
  )
  t.match(await refused('rotate', '--compromised', '--kek', 'second'), /first add another one/, 'the newest')
  t.match(await refused('rotate', 'first'), /unknown argument first/)
  const after = await json('rotate', '--compromised', '--kek', 'first')
  const states = after.items.map((key: { state: string; sealed_under: string }) => [
    key.state,
    key.sealed_under,
  ])
  t.same(states.slice(0, 4), Array(4).fill(['compromised', null]), 'resealed ones, too: a backup holds them')
  t.same(states.slice(4).sort(), [
    ['signing', 'second'],
    ['standby', 'second'],
  ])
  t.not((await mint()).kid, second.kid)
})

test('KY-11: the ring moves under another key-encryption key while it serves, and the old one is not needed any more', async t => {
  const { says, mint, keysFolder, service, sql } = await world(t)
  const { kid } = await mint()
  t.match(await says('reseal'), /already sealed under the newest/)
  await writeFile(join(keysFolder, 'second.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  let failed = 0
  let over = false
  const minting = (async () => {
    while (!over) if ((await mint()).kid !== kid) failed++
  })()
  t.match(await says('reseal', '--dry-run'), /nothing was changed/)
  t.match(await says('reseal'), /^Resealed/)
  over = true
  await minting
  t.equal(failed, 0)
  await rm(join(keysFolder, 'first.kek'))
  await ageKeys(sql, 7560)
  await says('rotate')
  await ageKeys(sql, 61)
  t.not((await mint()).kid, kid, 'the standby opens under the new one')
  const another = await testService(t, { beside: service })
  t.equal((await new Browser(another.app, issuer).get('/v1/session')).statusCode, 401, 'and a start')
})

test('the export is the list that is published', async t => {
  const { says, jwks } = await world(t)
  t.same(JSON.parse(await says('export')), await jwks())
})

test('the doctor finds all well, or says what is not, and ends with 1', async t => {
  const { says, json, sql, service, keysFolder } = await world(t)
  const healthy = await json('doctor')
  t.equal(healthy.ok, true)
  t.match(
    healthy.items.map(({ check }: { check: string }) => check),
    ['clock', 'lead', 'signer', 'standby', /^key /, /^key /],
  )
  t.match(await says('doctor'), /^ok +clock/)
  await unguarded(
    sql,
    tx =>
      tx`update signing_keys set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where signs_from is null`,
  )
  await ageKeys(sql, 100 * 86_400)
  const mintmark = await commandLine(t, service.database, keysFolder)
  const { code, out } = await mintmark('keys', 'doctor')
  t.equal(code, 1)
  t.match(out, /^WRONG +key [\w-]{43} +the key-encryption key .*first\.kek does not open this value/m)
})
