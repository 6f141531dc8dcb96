/** Many revocations, one by one: each on one instance, then the next request on every instance must be refused. */
import type { Cluster } from './cluster/cluster.js'
import { History } from './history.js'
import { person, session } from './people.js'

const atOnce = 4

export async function runRevokes(
  cluster: Cluster,
  tree: string,
  count: number,
  print: (line: string) => void,
): Promise<boolean> {
  const fleet = await cluster.fleet(tree, 3)
  await Promise.all(fleet.instances.map(instance => instance.start()))
  const { sql } = cluster.primary
  const { http } = cluster
  const owner = await person(sql)
  const durations: number[] = []
  let late = 0
  let other = 0
  let next = 0
  const startedAt = performance.now()

  async function worker(): Promise<void> {
    while (next < count) {
      const number = next++
      const mine = await session(sql, owner)
      const at = fleet.at(1 + (number % 3))
      const cookie = mine.cookie
      // Every instance has let it in before, over connections that stay open.
      for (const { port } of fleet.instances) {
        const before = await http.ask(port, { method: 'GET', path: '/v1/session', cookie })
        if (before.status !== 200) other++
      }
      const began = performance.now()
      // Every second one is ended from another session of the same person.
      const revoked =
        number % 2 === 0
          ? await http.ask(at.port, { method: 'DELETE', path: '/v1/session', cookie })
          : await http.ask(at.port, {
              method: 'DELETE',
              path: `/v1/sessions/${mine.id}`,
              cookie: (await standing()).cookie,
            })
      durations.push(performance.now() - began)
      if (revoked.status !== 204) other++
      const after = await Promise.all(
        fleet.instances.map(({ port }) => http.ask(port, { method: 'GET', path: '/v1/session', cookie })),
      )
      for (const { status } of after) {
        if (status === 200) late++
        else if (status !== 401) other++
      }
      if ((number + 1) % 1000 === 0) print(`${number + 1} revoked, ${late} late accepts`)
    }
  }

  let kept: Promise<{ cookie: string }> | undefined
  const standing = () => {
    kept ??= session(sql, owner, { history: new History() })
    return kept
  }
  await standing()
  await Promise.all(Array.from({ length: atOnce }, worker))
  durations.sort((a, b) => a - b)
  const at = (share: number) => (durations[Math.floor(durations.length * share)] ?? 0).toFixed(1)
  const took = ((performance.now() - startedAt) / 1000).toFixed(0)
  print(
    `${durations.length} revocations on 3 instances: ${late} late accepts, ${other} unexpected answers; the call took p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ${took} s`,
  )
  await fleet.close()
  return late === 0 && other === 0
}
