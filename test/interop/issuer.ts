/** A service that is reached at its issuer's address, as programs need it, and a token of each way to a session. */
import type { Test } from 'tap'
import { type Way, type WaysWorld, ways, waysWorld } from '../harness/ways.js'
import { member, tenant } from '../harness/world.js'
import { freePort } from '../support/free-port.js'

export interface Walked {
  readonly way: Way
  readonly token: string
  readonly user: string
}

export async function reachableIssuer(t: Test): Promise<WaysWorld> {
  const port = await freePort()
  const env = { ISSUER: `http://localhost:${port}`, MINTMARK_LISTEN: `127.0.0.1:${port}` }
  return waysWorld(t, { env })
}

/** Each in a tenant, so that it has every claim that a token can have. */
export async function walked(world: WaysWorld, most = ways.length): Promise<Walked[]> {
  const { sql } = world.service.database
  const acme = await tenant(sql)
  const found: Walked[] = []
  for (const way of ways.slice(0, most)) {
    const visitor = await way.go(world)
    const { user } = (await visitor.scripts.get('/v1/session')).json()
    await member(sql, user.id, acme, 'r1')
    const answer = await visitor.scripts.post('/v1/token', { client_id: 'mintmark', tenant: acme })
    if (answer.statusCode !== 200) throw new Error(`${way.way}: ${answer.body}`)
    found.push({ way, token: answer.json().access_token, user: user.id })
  }
  return found
}
