/** A ring opens only under its own key-encryption key and with rows that are what they say. */
import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { type Test, test } from 'tap'
import { openKeyRing } from '../../src/keys/key-ring.js'
import { generateSealedKey, openSealedKey } from '../../src/keys/signing-key.js'
import type { Ring } from '../../src/keys/store.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { unguarded } from '../support/keys.js'
import { folderWithKey, ringParts, testRing } from '../support/ring.js'

const issuer = 'https://id.example.com'
const elsewhere = async (t: Test) => (await loadKeyEncryptionKeys(await folderWithKey(t))).keys

test('a ring opens again under its own key-encryption key, unchanged', async t => {
  const { store, keks, ring, sql } = await testRing(t, issuer)
  const again = await openKeyRing(store, keks, issuer)
  t.equal(again.published().body, ring.published().body)
  t.equal((await sql`select from signing_keys`).length, 2, 'nothing was made')
})

test('a ring does not open under another key-encryption key, and gets no new keys instead', async t => {
  const { store, sql } = await testRing(t, issuer)
  const before = await sql`select * from signing_keys order by kid`
  const keks = await elsewhere(t)
  await t.rejects(openKeyRing(store, keks, issuer), { message: /first\.kek does not open this value/ })
  t.strictSame(await sql`select * from signing_keys order by kid`, before)
})

test('a ring does not open for another issuer', async t => {
  const { store, keks } = await testRing(t, issuer)
  await t.rejects(openKeyRing(store, keks, 'https://other.example.com'))
})

test('a signer whose public half was altered does not open, whatever was made of it', async t => {
  const { store, keks, kid } = await testRing(t, issuer)
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    format: 'jwk',
  })
  const thumbprint = await calculateJwkThumbprint({ kty: 'EC', crv: 'P-256', x, y })
  const alterations: Record<string, object> = {
    'another point under the old kid': { x, y },
    'another point under its own kid in the key': { x, y, kid: thumbprint },
    'another x': { x },
    'another curve': { crv: 'P-384' },
    'another kind': { kty: 'RSA' },
    'x in other words': { x: `${x}=` },
    'another algorithm': { alg: 'RS256' },
    'no algorithm at all': { alg: 'none' },
    'another use': { use: 'enc' },
  }
  for (const [what, more] of Object.entries(alterations)) {
    const altered = {
      ...store,
      async read(): Promise<Ring> {
        const ring = await store.read()
        const keys = ring.keys.map(key =>
          key.kid === kid ? { ...key, publicJwk: { ...key.publicJwk, ...more } } : key,
        )
        return { ...ring, keys }
      },
    }
    await t.rejects(openKeyRing(altered, keks, issuer), what)
  }
})

test('a published key whose kid is not its thumbprint stops the start, also that of a standby', async t => {
  const { store, keks, kid, sql } = await testRing(t, issuer)
  const invented = 'A'.repeat(43)
  await unguarded(
    sql,
    tx => tx`update signing_keys set kid = ${invented}, public_jwk = public_jwk || ${sql.json({ kid: invented })}
    where kid <> ${kid}`,
  )
  await t.rejects(openKeyRing(store, keks, issuer), { message: /thumbprint/ })
})

test('a list that may not be published never replaces one that may', async t => {
  const { ring, sql, kid } = await testRing(t, issuer)
  const { body } = ring.published()
  const invented = 'B'.repeat(43)
  await unguarded(
    sql,
    tx => tx`update signing_keys set kid = ${invented}, public_jwk = public_jwk || ${sql.json({ kid: invented })}
    where kid <> ${kid}`,
  )
  await t.rejects(ring.refresh(), { message: /thumbprint/ })
  t.equal(ring.published().body, body)
})

test('sealed halves cannot be exchanged between rows', async t => {
  const { store, keks, kid, sql } = await testRing(t, issuer)
  const [one, two] = await sql`select kid, sealed from signing_keys order by kid`
  await unguarded(sql, tx => tx`update signing_keys set sealed = ${two?.sealed} where kid = ${one?.kid}`)
  await unguarded(sql, tx => tx`update signing_keys set sealed = ${one?.sealed} where kid = ${two?.kid}`)
  await t.rejects(openKeyRing(store, keks, issuer), { message: /sealed/ })
  t.ok(kid)
})

test('a private half that was sealed for this row but belongs to another key signs nothing', async t => {
  const { keks } = await ringParts(t)
  const [row, other] = [await generateSealedKey(issuer, keks), await generateSealedKey(issuer, keks)]
  t.equal((await openSealedKey(issuer, row, keks)).kid, row.kid)
  const bound = (kid: string) => `mintmark signing key v1\n${issuer}\n${kid}`
  const { sealed } = keks.seal(keks.open(other.kekId, other.sealed, bound(other.kid)), bound(row.kid))
  await t.rejects(openSealedKey(issuer, { ...row, sealed }, keks), {
    message: /does not match the public key/,
  })
})

test('a standby stays sealed until it signs', async t => {
  const { store, keks, kid, sql } = await testRing(t, issuer)
  await unguarded(
    sql,
    tx =>
      tx`update signing_keys set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where kid <> ${kid}`,
  )
  const ring = await openKeyRing(store, keks, issuer)
  t.equal((await ring.signer(kid)).kid, kid)
  const { keys } = JSON.parse(ring.published().body)
  t.equal(keys.length, 2, 'it is published all the same')
  const standby = keys.find((key: { kid: string }) => key.kid !== kid).kid
  await t.rejects(ring.signer(standby), { message: /it was sealed with another one/ })
})

test('the private half of a signer that was altered stops the start', async t => {
  const { store, keks, kid, sql } = await testRing(t, issuer)
  await unguarded(
    sql,
    tx =>
      tx`update signing_keys set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where kid = ${kid}`,
  )
  await t.rejects(openKeyRing(store, keks, issuer))
})

test('no private half lies in the database in clear, and none is published', async t => {
  const { keks, ring, kid, sql, signer } = await testRing(t, issuer)
  const { d = '' } = signer.private.export({ format: 'jwk' })
  const [row] =
    await sql`select sealed, kek_id, public_jwk::text as jwk, s::text as text from signing_keys s where kid = ${kid}`
  t.equal(Buffer.from(d, 'base64url').length, 32)
  for (const text of [row?.jwk, row?.text, ring.published().body, JSON.stringify(keks), JSON.stringify(ring)])
    t.notOk(text.includes(d))
  t.notOk(row?.sealed.includes(Buffer.from(d, 'base64url')))
  t.notOk(row?.text.includes(Buffer.from(d, 'base64url').toString('hex')))
  t.notMatch(ring.published().body, /"d"|sealed|kek/)
})
