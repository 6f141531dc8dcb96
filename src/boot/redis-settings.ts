/** What REDIS_URL may say: one server's address, or several nodes of one Cluster with commas between. */
import { escapeFault } from '../core/percent-escapes.js'

/** What is wrong with it, each with its remedy. */
export function redisFaults(text: string): readonly string[] | string {
  const addresses = text.split(',').map(one => one.trim())
  if (!addresses.every(one => URL.canParse(one) && /^rediss?:$/.test(new URL(one).protocol)))
    return 'REDIS_URL is not a Redis address: write redis://host:6379 or rediss://host:6379, and separate the nodes of a Cluster with commas'
  const broken = escapeFault(text, 'REDIS_URL')
  if (broken) return broken
  const nodes = addresses.map(one => new URL(one))
  // The driver takes each for an option of its own, above those that the service asks for.
  const [parameter] = nodes.flatMap(({ searchParams }) => [...searchParams.keys()])
  if (parameter !== undefined) return `REDIS_URL: the parameter ${parameter} is not supported: remove it`
  const [first, ...more] = nodes
  if (more.length === 0 && /^\/?\d*$/.test(first?.pathname ?? '')) return []
  if (more.length === 0)
    return 'REDIS_URL: the path must be a database number: write it like redis://host:6379/0, or leave it out'
  const faults: string[] = []
  const alike = new Set(
    nodes.map(({ protocol, username, password }) => `${protocol} ${username} ${password}`),
  )
  if (alike.size > 1)
    faults.push(
      'REDIS_URL lists several nodes of a Cluster: give all of them the same scheme, user and password',
    )
  if (nodes.some(({ pathname }) => !['', '/', '/0'].includes(pathname)))
    faults.push('REDIS_URL has a database number, and a Redis Cluster has no databases: remove it')
  return faults
}
