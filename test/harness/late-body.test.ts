/** H5: a head comes, its author loses their rights on another instance, the body comes: refused, and nothing changed. */
import tap, { type Test, test } from 'tap'
import { platformPermissions } from '../../src/core/authority.js'
import { eventually, issuer, testService } from '../support/service.js'
import { expected } from './callers.js'
import { type Begun, begin, contents, type LateAnswer } from './late-body.js'
import { acceptable, encoded, headersFrom, listRoutes, pathFor, type Route } from './routes.js'
import { administrator, member, type Person, person, serviceKey, tenant } from './world.js'

const here = await testService(tap)
const there = await testService(tap, { beside: here })
const { sql } = here.database
const routes = await listRoutes()
const changes = routes.filter(({ key, changesState }) => changesState && key.includes(' /v1/admin/'))
const inTenants = changes.filter(({ url }) => url.includes('/:tenant'))

/** Whoever sends a request: a person with a session, or a service key. */
interface Author {
  readonly me: Person
  /** The id of the key that is sent. */
  readonly key: string
  /** The tenant in the path. */
  readonly tenant: string
  readonly path: string
  readonly headers: Record<string, string>
}

interface Loss {
  /** It is not only this author's. */
  readonly everybody?: true
  /** What the late body is answered with. */
  readonly code: string
  readonly take: (author: Author) => Promise<unknown>
}

/** On the other instance, with a key that holds everything. */
const boss = (await serviceKey(sql, { scopes: platformPermissions })).key
async function elsewhere(method: 'PATCH' | 'PUT' | 'DELETE', url: string, payload?: object) {
  const headers = { authorization: `Bearer ${boss}` }
  const answer = await there.app.inject({ method, url, headers, ...(payload && { payload }) })
  if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.body}`)
}
const signOut = ({ me }: Author) => there.browser().withCookie(me.cookie).delete('/v1/session')
const user = ({ me }: Author, payload: object) => elsewhere('PATCH', `/v1/admin/users/${me.id}`, payload)
const membership = ({ me, tenant }: Author) => `/v1/admin/tenants/${tenant}/members/${me.id}`

const endsOfSession: Readonly<Record<string, Loss>> = {
  'signed out': { code: 'unauthenticated', take: signOut },
  'had this session ended': {
    code: 'unauthenticated',
    take: ({ me }) => elsewhere('DELETE', `/v1/admin/sessions/${me.session}`),
  },
  'had all their sessions ended': {
    code: 'unauthenticated',
    take: ({ me }) => elsewhere('DELETE', `/v1/admin/users/${me.id}/sessions`),
  },
  'had everybody’s sessions ended': {
    everybody: true,
    code: 'unauthenticated',
    take: () => elsewhere('DELETE', '/v1/admin/sessions'),
  },
  'was disabled': { code: 'unauthenticated', take: author => user(author, { state: 'disabled' }) },
  'was deleted': {
    code: 'unauthenticated',
    take: ({ me }) => elsewhere('DELETE', `/v1/admin/users/${me.id}`),
  },
  'let the session expire': {
    code: 'unauthenticated',
    take: ({ me }) =>
      sql`update sessions set last_seen_at = now() - interval '8 days' where id = ${me.session}`,
  },
}
const endsOfKey: Readonly<Record<string, Loss>> = {
  'was revoked': {
    code: 'invalid_service_key',
    take: ({ key }) => elsewhere('DELETE', `/v1/admin/service-keys/${key}`),
  },
  'has expired': {
    code: 'invalid_service_key',
    take: ({ key }) => sql`update service_keys set expires_at = now() where id = ${key}`,
  },
}
const endsOfTenant: Readonly<Record<string, Loss>> = {
  'found the tenant suspended': {
    code: 'forbidden',
    take: ({ tenant }) => elsewhere('PATCH', `/v1/admin/tenants/${tenant}`, { state: 'suspended' }),
  },
}

interface Kind {
  readonly routes: readonly Route[]
  /** Gives what this kind holds. */
  readonly make: (place: string) => Promise<{ me?: Person; key?: { id: string; key: string } }>
  readonly losses: Readonly<Record<string, Loss>>
}

const kinds: Readonly<Record<string, Kind>> = {
  'an administrator': {
    routes: changes,
    make: async () => ({ me: await administrator(sql) }),
    losses: {
      ...endsOfSession,
      'lost the platform role': { code: 'forbidden', take: author => user(author, { platform_roles: [] }) },
      'is an auditor now': {
        code: 'forbidden',
        take: author => user(author, { platform_roles: ['auditor'] }),
      },
    },
  },
  'a service key': {
    routes: changes,
    make: async () => ({ key: await serviceKey(sql) }),
    losses: endsOfKey,
  },
  'an owner of the tenant': {
    routes: inTenants,
    make: async place => {
      const me = await person(sql)
      await member(sql, me.id, place, 'owner')
      return { me }
    },
    losses: {
      ...endsOfSession,
      ...endsOfTenant,
      'was taken out of it': { code: 'forbidden', take: author => elsewhere('DELETE', membership(author)) },
      'was suspended in it': {
        code: 'forbidden',
        take: author => elsewhere('PUT', membership(author), { roles: ['owner'], state: 'suspended' }),
      },
      'lost the role': {
        code: 'forbidden',
        take: author => elsewhere('PUT', membership(author), { roles: ['member'] }),
      },
      'has a role that holds nothing now': {
        code: 'forbidden',
        take: ({ tenant }) =>
          elsewhere('PUT', `/v1/admin/tenants/${tenant}/roles/owner`, { name: 'owner', permissions: [] }),
      },
      'found it deleted': {
        code: 'forbidden',
        take: ({ tenant }) => elsewhere('DELETE', `/v1/admin/tenants/${tenant}`),
      },
    },
  },
  'a service key of the tenant': {
    routes: inTenants,
    make: async place => ({
      key: await serviceKey(sql, {
        scopes: ['tenants:read', 'tenants:write', 'audit:read'],
        audiences: [],
        tenant: place,
      }),
    }),
    losses: {
      ...endsOfKey,
      ...endsOfTenant,
      'found it deleted': {
        code: 'invalid_service_key',
        take: ({ tenant }) => elsewhere('DELETE', `/v1/admin/tenants/${tenant}`),
      },
    },
  },
}

/** Only a platform permission opens it, whoever owns the tenant. */
const beyondTenants = new Set(['DELETE /v1/admin/tenants/:tenant'])

async function authorOf(route: Route, { make }: Kind): Promise<Author> {
  const stranger = await person(sql)
  const path = await pathFor(sql, route, stranger)
  const place = /\/tenants\/([0-9a-f-]{36})/.exec(path)?.[1] ?? ''
  const { me = stranger, key } = await make(place)
  const headers = key ? { authorization: `Bearer ${key.key}` } : headersFrom(issuer, me.cookie)
  return { me, key: key?.id ?? '', tenant: place, path, headers }
}

async function head(route: Route, author: Author): Promise<Begun> {
  const given = await acceptable[route.key]?.(sql, author.me)
  // The list has a dry run, which would change nothing in any case.
  const wanted = route.key.endsWith('/compromise') ? { all: true } : given
  const { payload, headers } = encoded(route, wanted)
  const type: Record<string, string> = { 'content-type': 'application/json', ...headers }
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload ?? {})
  const { method } = route
  return begin(here, { method, path: author.path, headers: { ...author.headers, ...type }, body })
}

/** Of each loss an author who meets it between head and body: what each is answered, and that nothing changes by any. */
async function lateAfter(
  t: Test,
  route: Route,
  losses: Readonly<Record<string, Loss>>,
  authors: () => Promise<Author>,
  judge: (answer: LateAnswer, how: string, loss: Loss) => void,
): Promise<void> {
  const all = Object.entries(losses)
  const together = all.filter(([, { everybody }]) => !everybody)
  const alone = all.filter(([, { everybody }]) => everybody).map(one => [one])
  for (const batch of [together, ...alone]) {
    const begun: { how: string; loss: Loss; late: Begun }[] = []
    for (const [how, loss] of batch) {
      const author = await authors()
      const late = await head(route, author)
      await loss.take(author)
      begun.push({ how, loss, late })
    }
    const before = await contents(sql)
    const answers = await Promise.all(begun.map(({ late }) => late.finish()))
    for (const [at, { how, loss }] of begun.entries()) judge(answers[at] as LateAnswer, how, loss)
    t.same(await contents(sql), before, 'nothing changed')
  }
}

for (const [who, kind] of Object.entries(kinds)) {
  for (const route of kind.routes) {
    if (kind.routes === inTenants && beyondTenants.has(route.key)) continue
    test(`H5: ${route.key} by ${who} whose rights end between head and body is refused, and changes nothing`, async t => {
      const authors = () => authorOf(route, kind)
      await lateAfter(t, route, kind.losses, authors, ({ code }, how, loss) =>
        t.equal(code, loss.code, `${who} ${how}`),
      )
    })
  }
}

test('H5: who may still do it, and no longer give what they want to give, is refused', async t => {
  const acme = await tenant(sql)
  const [me, other] = [await person(sql), await person(sql)]
  const lead = { name: 'lead', permissions: ['mintmark:roles:write', 'mintmark:members:write', 'doc:read'] }
  const [role] =
    await sql`update tenants set roles = roles || ${sql.json({ lead })} where id = ${acme} returning id`
  t.ok(role)
  await member(sql, me.id, acme, 'lead')
  await member(sql, other.id, acme, 'member')
  const base = `/v1/admin/tenants/${acme}`
  const lower = async () => {
    const permissions = lead.permissions.filter(permission => permission !== 'doc:read')
    await sql`update tenants set roles = roles || ${sql.json({ lead: { ...lead, permissions } })} where id = ${acme}`
  }
  const tries: [method: string, path: string, body: object][] = [
    ['POST', `${base}/roles`, { name: 'reader of docs', permissions: ['doc:read'] }],
    ['PUT', `${base}/members/${other.id}`, { roles: ['r1'] }],
    ['POST', `${base}/invitations`, { email: 'new@example.com', roles: ['r1'] }],
  ]
  for (const [method, path, body] of tries) {
    await sql`update tenants set roles = roles || ${sql.json({ lead })} where id = ${acme}`
    const headers = { ...headersFrom(issuer, me.cookie), 'content-type': 'application/json' }
    const late = await begin(here, { method, path, headers, body: JSON.stringify(body) })
    await lower()
    const before = await contents(sql)
    t.equal((await late.finish()).code, 'forbidden', path)
    t.same(await contents(sql), before, path)
  }
})

test('H5: who is raised between head and body is above those who were not, and is neither stopped nor deleted', async t => {
  const key = await serviceKey(sql, { scopes: ['users:read', 'users:write'] })
  for (const [method, body] of [
    ['PATCH', { state: 'disabled' }],
    ['PATCH', { platform_roles: [] }],
    ['DELETE', {}],
  ] as const) {
    const target = await person(sql)
    const headers = { authorization: `Bearer ${key.key}`, 'content-type': 'application/json' }
    const path = `/v1/admin/users/${target.id}`
    const late = await begin(here, { method, path, headers, body: JSON.stringify(body) })
    await elsewhere('PATCH', path, { platform_roles: ['administrator'] })
    const before = await contents(sql)
    t.equal((await late.finish()).code, 'forbidden')
    t.same(await contents(sql), before)
  }
})

/** What a signed-in person changes for themselves, by the table of callers: it is not done without a live session. */
const own = routes.filter(route => {
  const { key, changesState } = route
  const row = expected(route)
  const opens = /^(2\d\d|303 \/[^?]*(\?done=.*)?$|303 \/sign-in\?signed_out=1)/.test(
    String(row?.['signed in']),
  )
  const needsSession = /^(401 unauthenticated|303 \/sign-in(\?return_to=.*)?)$/.test(
    String(row?.['ended session']),
  )
  return changesState && !key.includes(' /v1/admin/') && opens && needsSession
})

async function ownAuthor(route: Route): Promise<Author> {
  const me = await person(sql)
  const path = await pathFor(sql, route, me)
  return { me, key: '', tenant: '', path, headers: headersFrom(issuer, me.cookie) }
}

for (const route of own) {
  test(`H5: ${route.key} with a session that ends between head and body is refused, and changes nothing`, async t => {
    await lateAfter(
      t,
      route,
      endsOfSession,
      () => ownAuthor(route),
      ({ status, code, location }, how) => {
        const sentAway = status === 303 && /^\/sign-in(\?return_to=|$)/.test(location ?? '')
        t.ok(status >= 400 || sentAway, `${how}: ${status} ${code}`)
      },
    )
  })
}

test('H5: what only reads is answered at once, and waits for no body', async t => {
  const reads = routes.filter(({ key, method }) => method === 'GET' && key.includes(' /v1/admin/'))
  const me = await administrator(sql)
  for (const route of reads) {
    const path = await pathFor(sql, route, me)
    const late = { method: 'GET', path, headers: headersFrom(issuer, me.cookie), body: '{}' }
    await t.rejects(begin(here, late), /answered before its body came: HTTP\/1\.1 200/, route.key)
  }
})

test('H5: with its rights untouched the same request is done, however late its body comes', async t => {
  for (const [who, kind] of Object.entries(kinds)) {
    for (const route of kind.routes) {
      if (kind.routes === inTenants && beyondTenants.has(route.key)) continue
      const answer = await (await head(route, await authorOf(route, kind))).finish()
      t.ok(answer.status < 300, `${route.key} by ${who}: ${answer.status} ${answer.code}`)
    }
  }
  for (const route of own) {
    const answer = await (await head(route, await ownAuthor(route))).finish()
    t.ok(answer.status < 400, `${route.key}: ${answer.status} ${answer.code}`)
  }
})

/** A change that was judged and waits for something else; then its author loses their rights elsewhere. */
interface Race {
  readonly who: keyof typeof kinds
  readonly key: string
  /** What the change waits for. */
  readonly held: (tx: import('postgres').TransactionSql, author: Author) => Promise<unknown>
}

const races: readonly Race[] = [
  {
    who: 'an administrator',
    key: 'PATCH /v1/admin/applications/:client',
    held: (tx, { path }) =>
      tx`select from applications where client_id = ${path.split('/').at(-1) ?? ''} for update`,
  },
  {
    who: 'a service key',
    key: 'PATCH /v1/admin/applications/:client',
    held: (tx, { path }) =>
      tx`select from applications where client_id = ${path.split('/').at(-1) ?? ''} for update`,
  },
  {
    who: 'an owner of the tenant',
    key: 'PUT /v1/admin/tenants/:tenant/members/:user',
    held: (tx, { path }) =>
      tx`select from memberships where user_id = ${path.split('/').at(-1) ?? ''} for update`,
  },
  {
    who: 'a service key of the tenant',
    key: 'PUT /v1/admin/tenants/:tenant/members/:user',
    held: (tx, { path }) =>
      tx`select from memberships where user_id = ${path.split('/').at(-1) ?? ''} for update`,
  },
]

const waiting = (count: number) =>
  eventually(async () => {
    const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return row?.waiting >= count || undefined
  }, 30)

for (const { who, key, held } of races) {
  const kind = kinds[who] as Kind
  const route = changes.find(one => one.key === key) as Route
  for (const [how, { take }] of Object.entries(kind.losses)) {
    // Time asks nobody.
    if (how === 'let the session expire') continue
    test(`H5: while a change by ${who} is being made, whoever takes the right away waits until it is (${how})`, async t => {
      const author = await authorOf(route, kind)
      const gate = await sql.reserve()
      t.teardown(() => gate.release())
      await gate`begin`
      await held(gate as never, author)
      const changing = head(route, author).then(late => late.finish())
      await waiting(1)
      let over = false
      const taking = take(author).then(() => {
        over = true
      })
      await waiting(2)
      t.equal(over, false, 'it has not returned')
      await gate`commit`
      t.equal((await changing).status, 200, 'the change was allowed')
      await taking
      const action = key.includes('members') ? 'membership.set' : 'application.changed'
      const done = await sql`select 1 from (select action from audit_events where outcome = 'done'
        order by id desc limit 2) latest where action = ${action}`
      t.ok(done.length > 0, 'and is written down')
    })
  }
}
