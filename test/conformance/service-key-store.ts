/** The rules of src/tenants/service-keys.ts, for every back end. */
import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import type { Actor } from '../../src/audit/events.js'
import type { ServiceKeyId, TenantId } from '../../src/core/principal.js'
import { judgeKey, type KeyRow, newServiceCredential } from '../../src/core/service-key.js'
import type { NewServiceKey } from '../../src/tenants/service-keys.js'
import { byOperator, byPerson, type OpenWorld, person, random, times, type World } from './world.js'

function newKey(more: Partial<NewServiceKey> = {}): NewServiceKey {
  return {
    id: newServiceCredential().id,
    secretHash: random(32),
    name: 'Orders "quoted" \\ Ünïcode',
    scopes: ['users:read', 'introspect'],
    audiences: ['orders "api" \\', 'billing'],
    tenant: null,
    lifetimeSeconds: 3600,
    ...more,
  }
}

async function created(world: World, more: Partial<NewServiceKey> = {}, actor: Actor = byOperator) {
  const wanted = newKey(more)
  const key = await world.serviceKeys.create(wanted, actor)
  if (typeof key === 'string') throw new Error(key)
  return { wanted, key }
}

const under = (key: string, text = 'asked'): Actor => ({
  ...byOperator,
  idempotency: { caller: 'caller', key, requestHash: Buffer.from(text.padEnd(32)) },
})

export function serviceKeyStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of a service key store`, async t => {
    const world = await open(t)
    await creating(t, world)
    await repeating(t, world)
    await revoking(t, world)
    await finding(t, world)
    await touching(t, world)
    await listing(t, world)
  })
}

async function creating(t: Test, world: World): Promise<void> {
  await t.test('a key is what was asked for, and its event says who made it', async t => {
    const { user } = await person(world)
    const tenant = await world.arrange.tenant('Acme')
    const before = Math.floor(await world.arrange.now())
    const { wanted, key } = await created(world, { tenant }, byPerson(user))
    t.match(key, { id: wanted.id, name: wanted.name, state: 'active', tenant })
    t.strictSame([key.scopes, key.audiences], [wanted.scopes, wanted.audiences])
    t.ok(key.createdAt >= before)
    t.equal((key.expiresAt ?? 0) - key.createdAt, 3600)
    t.strictSame([key.revokedAt, key.lastUsedAt], [null, null])
    t.strictSame(await world.serviceKeys.read(key.id), key)
    t.match((await world.arrange.audited()).at(-1), {
      action: 'service-key.created',
      outcome: 'done',
      actor: user,
      subject: key.id,
      tenant,
    })
  })

  await t.test('a key without a lifetime, without audiences and for all tenants', async t => {
    const { key } = await created(world, {
      scopes: ['audit:read'],
      audiences: [],
      lifetimeSeconds: undefined,
    })
    t.strictSame([key.expiresAt, key.tenant, key.audiences], [null, null, []])
  })

  await t.test('a key for a tenant that is not there is not made', async t => {
    const key = newKey({ tenant: randomUUID() as TenantId })
    t.equal(await world.serviceKeys.create(key, byOperator), 'unknown')
    t.equal(await world.serviceKeys.read(key.id), undefined)
  })

  await t.test('a creation whose event cannot be written makes nothing', async t => {
    const key = newKey()
    await world.arrange.whileAuditRefuses(async () => {
      await t.rejects(world.serviceKeys.create(key, byOperator))
    })
    t.equal(await world.serviceKeys.read(key.id), undefined)
  })
}

async function repeating(t: Test, world: World): Promise<void> {
  await t.test(
    'repeated under its Idempotency-Key a creation answers the first key, also at once',
    async t => {
      const made = await times(8, () => created(world, {}, under('k1')))
      const ids = new Set(made.map(({ key }) => key.id))
      t.equal(ids.size, 1)
      t.equal(made.filter(({ wanted, key }) => wanted.id === key.id).length, 1, 'one knows its secret')
      t.equal((await world.arrange.audited()).filter(({ subject }) => ids.has(subject as never)).length, 1)
      t.equal(await world.serviceKeys.create(newKey(), under('k1', 'other')), 'repeated-differently')
    },
  )
}

async function revoking(t: Test, world: World): Promise<void> {
  await t.test('a revoked key stays listed, opens nothing, and is revoked once', async t => {
    const { key } = await created(world)
    t.strictSame(
      await times(5, () => world.serviceKeys.revoke(key.id, byOperator)),
      Array.from({ length: 5 }, () => 'revoked'),
    )
    const revoked = await world.serviceKeys.read(key.id)
    t.equal(revoked?.state, 'revoked')
    t.ok((revoked?.revokedAt ?? 0) >= key.createdAt)
    t.equal((await world.serviceKeys.find(key.id))?.revoked, true)
    const events = (await world.arrange.audited()).filter(({ subject }) => subject === key.id)
    t.strictSame(
      events.map(({ action }) => action),
      ['service-key.created', 'service-key.revoked'],
    )
    t.equal(await world.serviceKeys.revoke(newKey().id, byOperator), 'unknown')
  })
}

async function finding(t: Test, world: World): Promise<void> {
  await t.test('what is found is what was stored, judged by the clock of the store', async t => {
    const tenant = await world.arrange.tenant('Acme')
    const { wanted, key } = await created(world, { tenant })
    const found = (await world.serviceKeys.find(key.id)) as KeyRow
    t.strictSame(found, {
      secretHash: wanted.secretHash,
      scopes: wanted.scopes,
      audiences: wanted.audiences,
      tenant,
      tenantActive: true,
      revoked: false,
      expired: false,
      useDue: true,
    })
    await world.arrange.setTenantState(tenant, 'suspended')
    t.equal((await world.serviceKeys.find(key.id))?.tenantActive, false)
    await world.arrange.ageKey(key.id, { expiry: 3601 })
    t.equal((await world.serviceKeys.find(key.id))?.expired, true)
    t.equal((await world.serviceKeys.read(key.id))?.state, 'expired')
    t.equal(await world.serviceKeys.find('A'.repeat(22) as ServiceKeyId), undefined)
  })

  await t.test('a key is proved before anything about it is said', async t => {
    const credential = newServiceCredential()
    const other = newServiceCredential()
    await created(world, { id: credential.id, secretHash: credential.secret.hash() })
    const row = await world.serviceKeys.find(credential.id)
    t.match(judgeKey(credential, row), { key: { id: credential.id } })
    t.strictSame(judgeKey(other, undefined), { refused: 'unknown' })
    await world.serviceKeys.revoke(credential.id, byOperator)
    const revoked = await world.serviceKeys.find(credential.id)
    t.strictSame(judgeKey({ id: credential.id, secret: other.secret }, revoked), { refused: 'forged' })
    t.strictSame(judgeKey(credential, revoked), { refused: 'revoked' })
  })
}

async function touching(t: Test, world: World): Promise<void> {
  await t.test('last-used moves once a minute, and never of a key that does not work', async t => {
    const { key } = await created(world)
    const used = async () => (await world.serviceKeys.read(key.id))?.lastUsedAt
    await times(5, () => world.serviceKeys.touch(key.id))
    const first = await used()
    t.ok(first)
    t.equal((await world.serviceKeys.find(key.id))?.useDue, false)
    await world.arrange.ageKey(key.id, { use: 50 })
    await world.serviceKeys.touch(key.id)
    t.equal(await used(), (first ?? 0) - 50)
    await world.arrange.ageKey(key.id, { use: 11 })
    t.equal((await world.serviceKeys.find(key.id))?.useDue, true)
    await world.serviceKeys.touch(key.id)
    t.ok(((await used()) ?? 0) >= (first ?? 0))

    await world.arrange.ageKey(key.id, { use: 100, expiry: 4000 })
    await world.serviceKeys.touch(key.id)
    t.ok(((await used()) ?? 0) < (first ?? 0), 'not of an expired one')
    await world.serviceKeys.touch(newKey().id)
  })
}

async function listing(t: Test, world: World): Promise<void> {
  await t.test('pages hold every key once', async t => {
    const seen: string[] = []
    for (let after: string | undefined; ; ) {
      const page = await world.serviceKeys.list({ limit: 2, after })
      t.ok(page.items.length <= 2)
      seen.push(...page.items.map(({ id }) => id))
      if (page.next === undefined) break
      after = page.next
    }
    t.equal(new Set(seen).size, seen.length)
    t.equal(seen.length, (await world.serviceKeys.list({ limit: 100, after: undefined })).items.length)
    t.equal(seen.length, 7)
  })
}
