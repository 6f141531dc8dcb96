/** TN-01: every route with a tenant in its path, for everyone who is somebody in this or another tenant. Generated. */
import { randomUUID } from 'node:crypto'
import tap, { test } from 'tap'
import { freshNetworkAddress } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { issuer, testService } from '../support/service.js'
import { acceptable, headersFrom, listRoutes, openInvitation, type Route } from './routes.js'
import { member, ownRole, type Person, person, tenant } from './world.js'

const database = await testDatabase(tap)
const { sql } = database
const { app } = await testService(tap, { database })
const routes = (await listRoutes()).filter(({ url, method }) => url.includes(':tenant') && method !== 'HEAD')

/** Brings a person into the state that the name says, towards this tenant. */
const somebody: Record<string, (me: Person, here: string) => Promise<unknown>> = {
  'owner of this tenant': (me, here) => member(sql, me.id, here, 'owner'),
  'admin of this tenant': (me, here) => member(sql, me.id, here, 'admin'),
  'member of this tenant': (me, here) => member(sql, me.id, here, 'member', 'r1', 'r2'),
  'owner of another tenant': async me => member(sql, me.id, await tenant(sql), 'owner'),
  'member here, owner elsewhere': async (me, here) => {
    await member(sql, me.id, here, 'member')
    await member(sql, me.id, await tenant(sql), 'owner')
  },
  'former owner': async (me, here) => {
    await member(sql, me.id, here, 'owner')
    await sql`delete from memberships where user_id = ${me.id}`
  },
  'suspended owner': async (me, here) => {
    await member(sql, me.id, here, 'owner')
    await sql`update memberships set state = 'suspended' where user_id = ${me.id}`
  },
  'owner of it while it is suspended': async (me, here) => {
    await member(sql, me.id, here, 'owner')
    await sql`update tenants set state = 'suspended' where id = ${here}`
  },
  'disabled owner': async (me, here) => {
    await member(sql, me.id, here, 'owner')
    await sql`update users set state = 'disabled' where id = ${me.id}`
  },
  'nobody anywhere': async () => {},
}

/** What an owner and an admin of a tenant may do there; nobody else in the list above may do anything. */
const ownersMay = new Set(
  routes.map(({ key }) => key).filter(key => key !== 'DELETE /v1/admin/tenants/:tenant'),
)
const adminsMay = new Set(
  routes
    .map(({ key }) => key)
    .filter(key => /members|invitations|audit/.test(key) || key === 'GET /v1/admin/tenants/:tenant'),
)

async function ask(route: Route, me: Person, here: string, other: Person) {
  const invited = await openInvitation(sql, here).catch(() => randomUUID())
  const url = route.url
    .replace(':tenant', here)
    .replace(':user', other.id)
    .replace(':role', ownRole)
    .replace(':invitation', invited)
  const payload = await acceptable[route.key]?.(sql, me)
  return app.inject({
    method: route.method as 'GET',
    url,
    remoteAddress: freshNetworkAddress(),
    headers: headersFrom(issuer, me.cookie),
    ...(payload && { payload }),
  })
}

/** All that a request could change in the directory. */
async function directory(): Promise<string> {
  const parts = []
  for (const table of ['users', 'tenants', 'memberships', 'applications', 'application_origins']) {
    const [row] = await sql.unsafe(
      `select md5(string_agg(r::text, '|' order by r::text)) as sum from ${table} r`,
    )
    parts.push(row?.sum)
  }
  return parts.join()
}

for (const route of routes) {
  test(`TN-01: ${route.key} by everyone: 0 crossings`, async t => {
    for (const [name, become] of Object.entries(somebody)) {
      const [me, other, here] = [await person(sql), await person(sql), await tenant(sql)]
      await member(sql, other.id, here, ownRole)
      await become(me, here)
      const before = await directory()
      const answer = await ask(route, me, here, other)
      const may =
        (name === 'owner of this tenant' && ownersMay.has(route.key)) ||
        (name === 'admin of this tenant' && adminsMay.has(route.key))
      if (may) t.ok(answer.statusCode < 300, `${name}: ${answer.statusCode} ${answer.body}`)
      else {
        t.equal(answer.statusCode, name === 'disabled owner' ? 401 : 403, name)
        t.equal(await directory(), before, `${name}: nothing changed`)
        const nowhere = await ask(route, me, randomUUID(), other)
        const told = ({ request_id: _, ...rest }: Record<string, unknown>) => rest
        t.same(
          told(answer.json()),
          told(nowhere.json()),
          `${name}: a tenant that is not there looks the same`,
        )
      }
    }
  })
}

test('TN-02: what a tenant lists is its own: no row, no count and no cursor of another', async t => {
  const [mine, theirs] = [await tenant(sql), await tenant(sql)]
  const me = await person(sql)
  await member(sql, me.id, mine, 'owner')
  for (let index = 0; index < 5; index++) {
    await member(sql, (await person(sql)).id, mine, 'member')
    await member(sql, (await person(sql)).id, theirs, 'member')
  }
  const get = (url: string) => app.inject({ url, headers: headersFrom(issuer, me.cookie) })
  const seen: string[] = []
  let cursor: string | null = ''
  do {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`
    const answer = (await get(`/v1/admin/tenants/${mine}/members?limit=2${query}`)).json()
    seen.push(...answer.items.map((item: { tenant: string }) => item.tenant))
    cursor = answer.next_cursor
  } while (cursor !== null)
  t.equal(seen.length, 6)
  t.same([...new Set(seen)], [mine])
  await sql`insert into audit_events (action, outcome, tenant) values ('tenant.changed', 'done', ${theirs})`
  t.same((await get(`/v1/admin/tenants/${mine}/audit`)).json().items, [])
})

test('TN-07: an owner gives only what an owner holds, and an admin does not lower an owner', async t => {
  const here = await tenant(sql)
  const [owner, admin, other] = [await person(sql), await person(sql), await person(sql)]
  await member(sql, owner.id, here, 'owner')
  await member(sql, admin.id, here, 'admin')
  await member(sql, other.id, here, 'member')
  const put = (me: Person, user: Person, ...roles: string[]) =>
    app.inject({
      method: 'PUT',
      url: `/v1/admin/tenants/${here}/members/${user.id}`,
      headers: headersFrom(issuer, me.cookie),
      payload: { roles },
    })
  t.equal((await put(owner, other, 'admin')).statusCode, 200)
  t.equal((await put(owner, other, 'r2')).statusCode, 403, 'doc:write is not the owner’s to give')
  t.equal((await put(owner, owner, 'owner', 'r2')).statusCode, 403, 'nor to take')
  t.equal((await put(admin, admin, 'owner')).statusCode, 403)
  t.equal((await put(admin, owner, 'member')).statusCode, 403)
  t.equal((await put(admin, other, 'member')).statusCode, 200, 'an equal')
  const role = (permissions: string[]) =>
    app.inject({
      method: 'POST',
      url: `/v1/admin/tenants/${here}/roles`,
      headers: headersFrom(issuer, owner.cookie),
      payload: { name: randomUUID(), permissions },
    })
  t.equal((await role(['mintmark:members:read'])).statusCode, 201)
  t.equal((await role(['doc:write'])).statusCode, 403)
  const builtIn = await app.inject({
    method: 'PUT',
    url: `/v1/admin/tenants/${here}/roles/owner`,
    headers: headersFrom(issuer, owner.cookie),
    payload: { name: 'owner', permissions: [] },
  })
  t.equal(builtIn.statusCode, 403)
  const suspend = await app.inject({
    method: 'PATCH',
    url: `/v1/admin/tenants/${here}`,
    headers: headersFrom(issuer, owner.cookie),
    payload: { state: 'suspended' },
  })
  t.equal(suspend.statusCode, 403)
})
