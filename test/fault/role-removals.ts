/** A role removed under load: 1 000 mints a second on three instances; no mint that begins after the answer carries it. */
import { setTimeout } from 'node:timers/promises'
import type { Cluster } from './cluster/cluster.js'
import { person, session, tenant } from './people.js'

const mintsPerSecond = 1000
/** Milliseconds between ticks, in each of which the mints then due are begun, whether or not others are answered. */
const tick = 5

/** Of the last mint with the role: when it began, in milliseconds before the removal was answered. */
interface Removal {
  readonly took: number
  readonly lastBefore: number
}

export async function runRoleRemovals(
  cluster: Cluster,
  tree: string,
  count: number,
  print: (line: string) => void,
): Promise<boolean> {
  const fleet = await cluster.fleet(tree, 3)
  await Promise.all(fleet.instances.map(instance => instance.start()))
  const { sql } = cluster.primary
  const { http } = cluster
  const acme = await tenant(sql, 2)
  const member = await person(sql, [acme])
  const minter = await session(sql, member, { tenant: acme })
  const operator = await person(sql)
  await sql`update users set platform_roles = '{administrator}' where id = ${operator.id}`
  const administrator = await session(sql, operator)
  await sql`insert into applications (client_id, name, audiences) values ('removals', 'Removals', '{orders-api}')`

  let mints = 0
  let unexpected = 0
  let carrying: number[] = []
  let without = 0
  let over = false

  async function mint(): Promise<void> {
    const began = performance.now()
    const { port } = fleet.at(1 + (mints++ % 3))
    const body = { client_id: 'removals' }
    try {
      const answer = await http.ask(port, { method: 'POST', path: '/v1/token', cookie: minter.cookie, body })
      const { roles } = claims(answer.body)
      if (roles.includes('v1')) carrying.push(began)
      else without++
    } catch {
      unexpected++
    }
  }

  async function load(): Promise<void> {
    const began = performance.now()
    let due = 0
    const open = new Set<Promise<void>>()
    while (!over) {
      for (const now = ((performance.now() - began) / 1000) * mintsPerSecond; due < now; due++) {
        const one: Promise<void> = mint().finally(() => open.delete(one))
        open.add(one)
      }
      await setTimeout(tick)
    }
    await Promise.all(open)
  }

  async function hold(roles: string[], on: number): Promise<void> {
    const path = `/v1/admin/tenants/${acme}/members/${member.id}`
    const { port } = fleet.at(on)
    const answer = await http.ask(port, {
      method: 'PUT',
      path,
      cookie: administrator.cookie,
      body: { roles },
    })
    if (answer.status !== 200) throw new Error(`a change of roles was answered ${answer.status}`)
  }

  const removals: Removal[] = []
  let late = 0
  const startedAt = performance.now()
  const loading = load()
  for (let number = 0; number < count; number++) {
    await hold(['v0', 'v1'], 1 + (number % 3))
    await setTimeout(150)
    const began = performance.now()
    await hold(['v0'], 1 + ((number + 1) % 3))
    const returned = performance.now()
    await setTimeout(150)
    late += carrying.filter(at => at > returned).length
    const last = Math.max(...carrying.filter(at => at <= returned))
    removals.push({ took: returned - began, lastBefore: returned - last })
    carrying = []
  }
  over = true
  await loading
  late += carrying.length
  const seconds = (performance.now() - startedAt) / 1000
  const nearest = Math.min(...removals.map(({ lastBefore }) => lastBefore))
  const longest = Math.max(...removals.map(({ took }) => took))
  print(
    `${count} removals of a role in ${seconds.toFixed(1)} s under ${(mints / seconds).toFixed(0)} mints a second on 3 instances: ${mints} mints, ${without} without the role, ${unexpected} unexpected answers`,
  )
  print(
    `the last mint with the role began ${nearest.toFixed(1)} ms or more before the answer (the removal took ${longest.toFixed(1)} ms at most); ${late} began after it`,
  )
  await fleet.close()
  return late === 0 && unexpected === 0
}

function claims(body: unknown): { roles: string[] } {
  const { access_token } = body as { access_token: string }
  return JSON.parse(Buffer.from(access_token.split('.')[1] as string, 'base64url').toString())
}
