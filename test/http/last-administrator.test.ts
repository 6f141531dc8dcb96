/** An installation keeps its last active administrator, whoever asks and however many at once. */
import tap, { test } from 'tap'
import { platformPermissions } from '../../src/core/authority.js'
import { headersFrom } from '../harness/routes.js'
import { administrator, type Person, person, serviceKey } from '../harness/world.js'
import { issuer, testService } from '../support/service.js'

const here = await testService(tap)
const instances = [here, await testService(tap, { beside: here })] as const
const { sql } = here.database

interface Taking {
  readonly method: 'PATCH' | 'DELETE'
  readonly payload?: object
}
const takings: Readonly<Record<string, Taking>> = {
  demoted: { method: 'PATCH', payload: { platform_roles: ['auditor'] } },
  'left without a role': { method: 'PATCH', payload: { platform_roles: [], name: 'Somebody' } },
  disabled: { method: 'PATCH', payload: { state: 'disabled' } },
  removed: { method: 'DELETE' },
}

const asPerson = ({ cookie }: Person) => headersFrom(issuer, cookie)
async function take(headers: Record<string, string>, whom: Person, taking: Taking, at = 0) {
  const url = `/v1/admin/users/${whom.id}`
  const { statusCode, body } = await (instances[at % 2] as typeof here).app.inject({
    ...taking,
    url,
    headers,
  })
  const code = body === '' ? undefined : JSON.parse(body).code
  return code === undefined ? statusCode : `${statusCode} ${code}`
}

async function administrators(): Promise<number> {
  const [row] = await sql`select count(*)::int as left from users
    where state = 'active' and 'administrator' = any(platform_roles)`
  return row?.left
}
const nobody = () => sql`update users set platform_roles = '{}'`

for (const [how, taking] of Object.entries(takings)) {
  test(`the last administrator is not ${how}: not by themselves, and not by a service key`, async t => {
    await nobody()
    const me = await administrator(sql)
    const disabled = await administrator(sql)
    await sql`update users set state = 'disabled' where id = ${disabled.id}`
    const { key } = await serviceKey(sql, { scopes: platformPermissions })
    for (const headers of [asPerson(me), { authorization: `Bearer ${key}` }])
      t.equal(await take(headers, me, taking), '409 last_administrator')
    t.equal(await administrators(), 1)
    t.equal(
      (await here.app.inject({ url: '/v1/admin/users', headers: asPerson(me) })).statusCode,
      200,
      'and goes on',
    )
    const second = await administrator(sql)
    t.ok(Number(await take(asPerson(second), me, taking)) < 300, 'where there is another one it is done')
    t.equal(await administrators(), 1)
    t.equal(await take(asPerson(second), second, taking), '409 last_administrator')
  })

  test(`of administrators who are ${how} at once on two instances, by themselves or each other, one stays`, async t => {
    for (let round = 0; round < 10; round++) {
      await nobody()
      const [one, two] = [await administrator(sql), await administrator(sql)]
      const themselves = round % 2 === 0
      const answers = await Promise.all([
        take(asPerson(one), themselves ? one : two, taking, 0),
        take(asPerson(two), themselves ? two : one, taking, 1),
      ])
      t.equal(await administrators(), 1, `one of two is left: ${answers}`)
      t.equal(answers.filter(answer => Number(answer) < 300).length, 1, `${answers}`)
    }
  })
}

test('what takes no administrator away is not held up by it', async t => {
  await nobody()
  const me = await administrator(sql)
  const other = await person(sql)
  const renamed = { method: 'PATCH', payload: { name: 'Ada', platform_roles: ['administrator', 'auditor'] } }
  t.equal(await take(asPerson(me), me, renamed as Taking), 200)
  t.equal(await take(asPerson(me), other, { method: 'DELETE' }), 204)
})
