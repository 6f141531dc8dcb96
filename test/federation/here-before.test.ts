/** Somebody was here before the person, with sessions in Postgres; and that no way to be here before is left out. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { testDatabase } from '../support/database.js'
import { root } from '../support/project.mjs'
import { plants, verifications } from './here-before.js'
import { hereBeforeSuite } from './here-before-suite.js'

hereBeforeSuite('Postgres', async () => ({}))

/** `file what` of every call of these in the Postgres stores. */
function callsOf(calls: RegExp): string[] {
  const folder = join(root, 'src/store')
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .flatMap(name => {
      const text = readFileSync(join(folder, name), 'utf8').replace(/^export (async )?function .*/gm, '')
      return [...text.matchAll(calls)].map(([call]) => `${name.split('/').at(-1)} ${call.replace(/\($/, '')}`)
    })
  return [...new Set(found)].sort()
}

test('It is complete: whatever makes an account is among the ways to register', t => {
  const found = callsOf(/\binsertUser\(|insert\(users\)|insert into "?users\b/gi)
  const ofOurMail = ['new-person.ts insertUser', 'new-person.ts insert(users)']
  const planted = plants.flatMap(({ madeIn }) => madeIn ?? [])
  t.same(found, [...new Set([...planted, ...ofOurMail])].sort())
  t.same(
    callsOf(/\bregisterByMail\(/g),
    ['account-store.ts registerByMail', 'redemption-store.ts registerByMail'],
    'a sign-up link and an invitation, which verify the address',
  )
  t.end()
})

test('It is complete: whatever verifies an address goes one way, and is among the ways to verify', async t => {
  const { sql } = await testDatabase(t)
  const [row] = await sql`select pg_get_constraintdef(oid) as definition from pg_constraint
    where conname = 'users_address_verified_by'`
  const known = [...String(row?.definition).matchAll(/'([a-z-]+)'/g)].map(([, how]) => how)
  t.same(known.sort(), [...new Set(verifications.map(({ how }) => how)), 'earlier'].sort())
  t.same(
    callsOf(/addressVerifiedBy:|address_verified_by\b|addressProved:|address_proved\b/g),
    [
      'address-verification.ts addressProved:',
      'address-verification.ts addressVerifiedBy:',
      'address-verification.ts address_proved',
      'tables.ts addressProved:',
      'tables.ts addressVerifiedBy:',
      'tables.ts address_proved',
      'tables.ts address_verified_by',
    ],
    'nothing else writes it',
  )
  t.same(callsOf(/\bverifyAddress\(/g), [
    'account-store.ts verifyAddress',
    'identity-links.ts verifyAddress',
    'new-person.ts verifyAddress',
  ])
})

/** Everything that belongs to a person, and what becomes of it when their address is verified for the first time. */
const belongings: Readonly<Record<string, string>> = {
  'passwords.user_id': 'ends',
  'sessions.user_id': 'ends, by the epoch',
  'revocations.user_id': 'says what has ended',
  'federated_identities.user_id': 'ends',
  'federation_flows.user_id': 'ends',
  'mail_links.canonical_email': 'ends',
  'totp_factors.user_id': 'ends',
  'passkeys.user_id': 'ends',
  'recovery_codes.user_id': 'ends',
  'factor_failures.user_id': 'ends',
  'factor_resets.user_id': 'ends',
  'pending_sign_ins.user_id': 'ends',
  'passkey_challenges.user_id': 'ends',
  'passkey_owners.user_id': 'stays: it opens nothing, and keeps a credential from being somebody else’s',
  'invitations.inviter': 'ends',
  'invitations.canonical_email': 'stays: others have sent it to the mailbox, and nobody else has its link',
  'memberships.user_id': 'stays: others have given it, and it opens nothing by itself',
  'users.canonical_email': 'stays: it is the address',
}

test('It is complete: whatever belongs to a person either ends with the first verification, or is said to stay', async t => {
  const { sql } = await testDatabase(t)
  const found = await sql`
    select c.conrelid::regclass || '.' || a.attname as name
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
    where c.contype = 'f' and c.confrelid = 'users'::regclass
    union select table_name || '.' || column_name from information_schema.columns
    where table_schema = 'public' and (column_name = 'canonical_email' or column_name = 'user_id')`
  t.same(found.map(({ name }) => name).sort(), Object.keys(belongings).sort())
})
