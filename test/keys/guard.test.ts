/** The times of keys are guarded by the database itself: what would break a verifier is refused from whomever it comes. */
import { type Test, test } from 'tap'
import { rotation } from '../../src/keys/schedule.js'
import { generateSealedKey } from '../../src/keys/signing-key.js'
import type { Ring } from '../../src/keys/store.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { byOperator } from '../conformance/world.js'
import { ageKeys } from '../support/keys.js'
import { testRing } from '../support/ring.js'

const issuer = 'https://id.example.com'

async function world(t: Test) {
  const parts = await testRing(t, issuer)
  const ring = await parts.store.read()
  const standby = ring.keys.find(({ signsFrom }) => signsFrom === null)?.kid as string
  const refused = async (what: string, statement: string) => {
    const before = await parts.sql`select * from signing_keys order by kid`
    await t.rejects(parts.sql.unsafe(statement), { code: '23514' }, what)
    t.strictSame(await parts.sql`select * from signing_keys order by kid`, before, `${what}: nothing changed`)
  }
  return { ...parts, standby, refused }
}

const set = (kid: string, what: string) => `update signing_keys set ${what} where kid = '${kid}'`

test('a key is not activated before every verifier can know it', async t => {
  const { sql, standby, refused } = await world(t)
  await refused('now', set(standby, 'signs_from = now()'))
  await refused('soon', set(standby, "signs_from = now() + interval '2 hours'"))
  await refused(
    'with a lead of its own',
    set(standby, "signs_from = now() + interval '1 hour', least_lead = 0"),
  )
  await refused('published earlier than it was', set(standby, "published_at = now() - interval '1 day'"))
  await refused('for a reason that is none', set(standby, "signs_from = now(), exempt = 'haste'"))
  await ageKeys(sql, 7560)
  await refused('in the past', set(standby, "signs_from = now() - interval '1 second'"))
  await sql.unsafe(set(standby, 'signs_from = now()'))
})

test('a new key is published now, whatever is said of it', async t => {
  const { sql, keks, refused } = await world(t)
  const { kid, publicJwk, sealed, kekId } = await generateSealedKey(issuer, keks)
  const row = { kid, public_jwk: sql.json(publicJwk), sealed, kek_id: kekId, least_lead: 0, least_tail: 0 }
  await sql`insert into signing_keys ${sql({ ...row, published_at: new Date(0) } as never)}`
  const [made] = await sql`select published_at > now() - interval '1 minute' as fresh, least_lead, least_tail
    from signing_keys where kid = ${kid}`
  t.same(made, { fresh: true, least_lead: 7560, least_tail: 4560 })
  await refused('and it does not sign yet', set(kid, 'signs_from = now()'))
})

test('a key is not withdrawn while its tokens live', async t => {
  const { sql, store, kid, keks, refused } = await world(t)
  await refused('while it signs', set(kid, 'unpublished_at = now()'))
  await refused('when it ends', set(kid, 'signs_until = now(), unpublished_at = now()'))
  await refused('too soon', set(kid, "signs_until = now(), unpublished_at = now() + interval '1 hour'"))
  await refused('and never deleted', `delete from signing_keys where kid = '${kid}'`)
  await refused('by a lie about compromise', set(kid, 'compromised_at = now(), unpublished_at = now()'))
  await ageKeys(sql, 7560)
  const { keys } = (await store.change(rotation, () => generateSealedKey(issuer, keks), byOperator)) as Ring
  const end = keys.find(key => key.kid === kid)?.unpublishedAt as number
  await ageKeys(sql, end - (await store.read()).now + 1)
  await refused('nor called back once it is gone', set(kid, 'unpublished_at = null'))
})

test('what has happened is not rewritten', async t => {
  const { sql, store, kid, keks, standby, refused } = await world(t)
  await refused('when it began', set(kid, "signs_from = now() + interval '1 day'"))
  await refused('what it is', set(kid, `public_jwk = public_jwk || '{"use":"enc"}'`))
  await ageKeys(sql, 7560)
  await store.change(rotation, () => generateSealedKey(issuer, keks), byOperator)
  await ageKeys(sql, 3600)
  await refused('when it ended', set(kid, "signs_until = now() + interval '1 day'"))
  await sql.unsafe(set(kid, 'sealed = null, kek_id = null'))
  await refused('what it was sealed under', set(kid, "kek_ids = '{}'"))
  await refused('its private half', set(kid, String.raw`sealed = '\x00', kek_id = 'first'`))
  await sql.unsafe(
    set(
      standby,
      'compromised_at = now(), signs_until = now(), unpublished_at = now(), sealed = null, kek_id = null',
    ),
  )
  await refused('its compromise', set(standby, 'compromised_at = null'))
  await refused('since when it is believed', set(standby, 'compromised_since = now()'))
})

test('the policy is one row that keeps its own rules, and the service only reads it', async t => {
  const { sql } = await world(t)
  for (const wrong of [
    'lead = 7559',
    'tail = 4559',
    'longest_lifetime = 901',
    'verifier_age = 86400',
    'list_age = 90000',
    'rotate_every = 3600',
    'jitter_percent = 101',
  ])
    await t.rejects(sql.unsafe(`update key_policy set ${wrong}`), { code: '23514' }, wrong)
  await t.rejects(sql`insert into key_policy ("only") values (false)`, { code: '23514' })
  await t.rejects(sql`insert into key_policy default values`, { code: '23505' })
  const asService = (statement: string) =>
    sql.begin(async tx => {
      await tx.unsafe(`select set_config('role', ${serviceRole}, true)`)
      await tx.unsafe(statement)
    })
  for (const statement of [
    'update key_policy set lead = 90000',
    'delete from key_policy',
    'delete from signing_keys',
  ])
    await t.rejects(asService(statement), { code: '42501' }, statement)
  await asService('select * from key_policy')
})
