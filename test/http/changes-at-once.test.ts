/** Many changes at once: each holds what its caller rests on until it is made, and none waits for itself or for ever. */
import { randomUUID } from 'node:crypto'
import tap, { test } from 'tap'
import { headersFrom } from '../harness/routes.js'
import { administrator, member, type Person, person, serviceKey, session, tenant } from '../harness/world.js'
import { testDatabase } from '../support/database.js'
import { issuer, testService } from '../support/service.js'

const database = await testDatabase(tap)
const { sql } = database
// Longer than a lock is waited for: what would be a deadlock is a 503 then, and not a delay that nobody sees.
const [own] = await sql`select current_database() as name`
await sql.unsafe(`alter database ${own?.name} set deadlock_timeout = '60s'`)
const here = await testService(tap, { database })
const instances = [here, await testService(tap, { beside: here })] as const

type Method = 'POST' | 'PATCH' | 'PUT' | 'DELETE'
type Headers = Record<string, string>
interface Sent {
  readonly headers: Headers
  readonly ask: readonly [method: Method, url: string, payload?: object]
}

const withCookie = ({ cookie }: Pick<Person, 'cookie'>): Headers => headersFrom(issuer, cookie)
const withKey = ({ key }: { key: string }): Headers => ({ authorization: `Bearer ${key}` })

/** Each on the next instance; all of them are under way together. */
async function atOnce(sent: readonly Sent[]): Promise<number[]> {
  const answers = await Promise.all(
    sent.map(({ headers, ask: [method, url, payload] }, at) =>
      (instances[at % 2] as typeof here).app.inject({ method, url, headers, ...(payload && { payload }) }),
    ),
  )
  return answers.map(({ statusCode }) => statusCode)
}
const many = <T>(count: number, make: (at: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, at) => make(at)))

/** Each makes somebody, on one instance; the statuses that there were. */
async function makeSomebodyAtOnce(people: Parameters<typeof withCookie>[0][]): Promise<number[]> {
  const answers = await Promise.all(
    people.map(one =>
      here.app.inject({
        method: 'POST',
        url: '/v1/admin/users',
        headers: withCookie(one),
        payload: { email: `${randomUUID()}@example.com` },
      }),
    ),
  )
  return [...new Set(answers.map(({ statusCode }) => statusCode))]
}

test('fifty administrators change fifty things at once on one instance, and every change is made', async t => {
  const people = await many(50, () => administrator(sql))
  t.same(await makeSomebodyAtOnce(people), [201])
})

test('fifty who may not are refused at once on one instance, though each refusal is written down', async t => {
  const people = await many(50, () => person(sql))
  t.same(await makeSomebodyAtOnce(people), [403])
})

/** What somebody does to themselves, six times at once: it is done, and nobody waits for who waits for them. */
const toThemselves: Readonly<Record<string, () => Promise<Sent>>> = {
  'an administrator changes their name': async () => {
    const me = await administrator(sql)
    return { headers: withCookie(me), ask: ['PATCH', `/v1/admin/users/${me.id}`, { name: 'Me' }] }
  },
  'an administrator lays down their role': async () => {
    const me = await administrator(sql)
    return { headers: withCookie(me), ask: ['PATCH', `/v1/admin/users/${me.id}`, { platform_roles: [] }] }
  },
  'an administrator disables themselves': async () => {
    const me = await administrator(sql)
    return { headers: withCookie(me), ask: ['PATCH', `/v1/admin/users/${me.id}`, { state: 'disabled' }] }
  },
  'an administrator deletes themselves': async () => {
    const me = await administrator(sql)
    return { headers: withCookie(me), ask: ['DELETE', `/v1/admin/users/${me.id}`] }
  },
  'an administrator ends the session they use': async () => {
    const me = await administrator(sql)
    return { headers: withCookie(me), ask: ['DELETE', `/v1/admin/sessions/${me.session}`] }
  },
  'an administrator ends all of their sessions': async () => {
    const me = await administrator(sql)
    return { headers: withCookie(me), ask: ['DELETE', `/v1/admin/users/${me.id}/sessions`] }
  },
  'somebody ends the device they use': async () => {
    const me = await person(sql)
    return { headers: withCookie(me), ask: ['DELETE', `/v1/sessions/${me.session}`] }
  },
  'a key revokes itself': async () => {
    const key = await serviceKey(sql)
    return { headers: withKey(key), ask: ['DELETE', `/v1/admin/service-keys/${key.id}`] }
  },
  'an owner leaves the tenant': async () => {
    const [me, other, place] = [await person(sql), await person(sql), await tenant(sql)]
    for (const { id } of [me, other]) await member(sql, id, place, 'owner')
    return { headers: withCookie(me), ask: ['DELETE', `/v1/admin/tenants/${place}/members/${me.id}`] }
  },
  'an owner becomes a member': async () => {
    const [me, other, place] = [await person(sql), await person(sql), await tenant(sql)]
    for (const { id } of [me, other]) await member(sql, id, place, 'owner')
    const url = `/v1/admin/tenants/${place}/members/${me.id}`
    return { headers: withCookie(me), ask: ['PUT', url, { roles: ['member'] }] }
  },
}

for (const [what, make] of Object.entries(toThemselves)) {
  test(`${what}, six times at once on two instances: done once or more, else refused, and never 503`, async t => {
    for (let round = 0; round < 5; round++) {
      const sent = await make()
      const answers = await atOnce(Array.from({ length: 6 }, () => sent))
      t.ok(
        answers.some(status => status < 300),
        String(answers),
      )
      t.ok(
        answers.every(status => status < 500),
        String(answers),
      )
    }
  })
}

/** What two do to each other at once: one is done, and the other is done or refused. */
const toEachOther: Readonly<Record<string, () => Promise<Sent[]>>> = {
  'two administrators disable each other': async () => {
    const [a, b] = [await administrator(sql), await administrator(sql)]
    return [
      { headers: withCookie(a), ask: ['PATCH', `/v1/admin/users/${b.id}`, { state: 'disabled' }] },
      { headers: withCookie(b), ask: ['PATCH', `/v1/admin/users/${a.id}`, { state: 'disabled' }] },
    ]
  },
  'two administrators delete each other': async () => {
    const [a, b] = [await administrator(sql), await administrator(sql)]
    return [
      { headers: withCookie(a), ask: ['DELETE', `/v1/admin/users/${b.id}`] },
      { headers: withCookie(b), ask: ['DELETE', `/v1/admin/users/${a.id}`] },
    ]
  },
  'two administrators end each other’s session': async () => {
    const [a, b] = [await administrator(sql), await administrator(sql)]
    return [
      { headers: withCookie(a), ask: ['DELETE', `/v1/admin/sessions/${b.session}`] },
      { headers: withCookie(b), ask: ['DELETE', `/v1/admin/sessions/${a.session}`] },
    ]
  },
  'two devices of a person end each other': async () => {
    const a = await person(sql)
    const b = await session(sql, a.id)
    return [
      { headers: withCookie(a), ask: ['DELETE', `/v1/sessions/${b.session}`] },
      { headers: withCookie(b), ask: ['DELETE', `/v1/sessions/${a.session}`] },
    ]
  },
  'two keys revoke each other': async () => {
    const [a, b] = [await serviceKey(sql), await serviceKey(sql)]
    return [
      { headers: withKey(a), ask: ['DELETE', `/v1/admin/service-keys/${b.id}`] },
      { headers: withKey(b), ask: ['DELETE', `/v1/admin/service-keys/${a.id}`] },
    ]
  },
  'eight administrators end everybody’s sessions': () =>
    many(8, async () => ({
      headers: withCookie(await administrator(sql)),
      ask: ['DELETE', '/v1/admin/sessions'],
    })),
}

for (const [what, make] of Object.entries(toEachOther)) {
  test(`${what} at once: one is done, and no answer is 503`, async t => {
    for (let round = 0; round < 10; round++) {
      const answers = await atOnce(await make())
      t.ok(
        answers.some(status => status < 300),
        String(answers),
      )
      t.ok(
        answers.every(status => status < 500),
        String(answers),
      )
    }
  })
}

/** Until it is stopped, callers make one change after the other, as many at once as they may. */
function busy(callers: readonly Sent[]): () => Promise<void> {
  let over = false
  const one = async (sent: Sent) => {
    while (!over) await atOnce([sent, sent])
  }
  const all = callers.flatMap(sent => Array.from({ length: 4 }, () => one(sent)))
  return async () => {
    over = true
    await Promise.all(all)
  }
}

test('whoever changes things without a pause is disabled all the same', async t => {
  for (let round = 0; round < 3; round++) {
    const [boss, me] = [await administrator(sql), await administrator(sql)]
    const stop = busy([
      { headers: withCookie(me), ask: ['PUT', '/v1/session/tenant', { tenant: null }] },
      { headers: withCookie(me), ask: ['POST', '/v1/admin/tenants', { name: 'One more' }] },
    ])
    const answers = await atOnce([
      { headers: withCookie(boss), ask: ['PATCH', `/v1/admin/users/${me.id}`, { state: 'disabled' }] },
    ])
    await stop()
    t.same(answers, [200])
  }
})

test('a key that is used without a pause is revoked all the same', async t => {
  for (let round = 0; round < 3; round++) {
    const [boss, key] = [await administrator(sql), await serviceKey(sql)]
    const stop = busy([{ headers: withKey(key), ask: ['POST', '/v1/admin/tenants', { name: 'One more' }] }])
    const answers = await atOnce([
      { headers: withCookie(boss), ask: ['DELETE', `/v1/admin/service-keys/${key.id}`] },
    ])
    await stop()
    t.same(answers, [204])
  }
})

test('everybody’s sessions end while ten administrators change things without a pause', async t => {
  for (let round = 0; round < 3; round++) {
    const [boss, ...people] = await many(11, () => administrator(sql))
    const stop = busy(
      people.map(one => ({
        headers: withCookie(one),
        ask: ['POST', '/v1/admin/tenants', { name: 'One more' }] as const,
      })),
    )
    const answers = await atOnce([
      { headers: withCookie(boss as Person), ask: ['DELETE', '/v1/admin/sessions'] },
    ])
    await stop()
    t.ok((answers[0] as number) < 300, String(answers))
  }
})
