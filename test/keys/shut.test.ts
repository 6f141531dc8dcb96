/** A key that does not open signs nothing: nobody hands over to it, neither an operator nor an instance by itself. */
import { type Test, test } from 'tap'
import { noRequest } from '../../src/audit/events.js'
import { createKeyOperations } from '../../src/keys/operations.js'
import { signerOf, standbys } from '../../src/keys/schedule.js'
import type { Key, Ring } from '../../src/keys/store.js'
import { ageKeys, unguarded } from '../support/keys.js'
import { testRing } from '../support/ring.js'

const issuer = 'http://localhost:4000'
const options = { actor: { user: undefined, context: noRequest }, dryRun: false }

/** A ring whose standby was altered in its row. */
async function withShutStandby(t: Test) {
  const parts = await testRing(t, issuer)
  const { store, keks, sql, kid } = parts
  const operations = createKeyOperations({
    store,
    keks,
    issuer,
    resealOthers: async () => {},
    changed: () => {},
    heldLists: async () => [],
  })
  const [standby] = standbys(await store.read()) as [Key]
  await unguarded(
    sql,
    tx =>
      tx`update signing_keys set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where kid = ${standby.kid}`,
  )
  const signer = async () => signerOf((await store.read()).keys, (await store.read()).now) as Key
  return { ...parts, operations, signer, leaked: kid, standby }
}

test('a leaked signer is followed by a key that opens, not by the standby that does not', async t => {
  const { operations, ring, signer, leaked, standby } = await withShutStandby(t)
  const answer = (await operations.compromise({ kid: leaked }, null, options)) as Ring
  t.type(answer, 'object')
  const { kid } = await signer()
  t.notOk([leaked, standby.kid].includes(kid), 'a fresh one')
  t.equal((await ring.signer(kid)).kid, kid, 'and it signs')
})

test('a rotation that an operator asks for stays undone', async t => {
  const { operations, signer, leaked, standby } = await withShutStandby(t)
  t.equal(await operations.rotate(options), 'shut')
  t.equal((await signer()).kid, leaked)
  t.match(
    (await operations.doctor()).filter(({ ok }) => !ok),
    [
      {
        check: `key ${standby.kid}`,
        says: /sealed with another one, .*: set ISSUER back if it has changed, or put the right file/,
      },
    ],
  )
})

test('a rotation that is due waits, and the key that signs goes on', async t => {
  const { ring, signer, leaked, sql, store } = await withShutStandby(t)
  await ageKeys(sql, 40 * 86_400)
  await ring.refresh()
  await ring.maintain()
  t.equal((await signer()).kid, leaked)
  t.same(
    (await store.read()).keys.filter(({ signsUntil }) => signsUntil !== null),
    [],
    'nothing is scheduled',
  )
  t.equal((await ring.signer(leaked)).kid, leaked)
})
