/** What the tests of throttling share: instances that count together, people at addresses, answers counted. */

import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { type LimitName, limits } from '../../src/accounts/throttle.js'
import { codeOf } from '../harness/routes.js'
import { Browser, freshNetworkAddress } from '../support/browser.js'
import { type RedisServer, redisServer } from '../support/redis.js'
import { eventually, issuer, type TestService, testService } from '../support/service.js'

/** Where a test stays when it matters that it does. */
export const here = '203.0.113.77'

export type Answer = LightMyRequestResponse

export const wrongPassword = 'a wrong password, long enough'

/** Instances that count together. */
export interface World {
  readonly instances: readonly TestService[]
  /** Somebody at this network address, or at one of their own, in front of any of the instances. */
  at(address?: string, cookie?: string): Browser
  readonly sql: TestService['database']['sql']
}

export async function alone(t: Test, env: Record<string, string> = {}): Promise<World> {
  return worldOf([await testService(t, { env })])
}

export async function threeOnRedis(
  t: Test,
  env: Record<string, string> = {},
): Promise<World & { readonly redis: RedisServer }> {
  const redis = await redisServer(t)
  redis.start()
  const options = { env: { ...env, REDIS_URL: redis.url } }
  const first = await testService(t, options)
  const others = [await testService(t, { ...options, beside: first })]
  others.push(await testService(t, { ...options, beside: first }))
  for (const instance of [first, ...others]) await counting(instance)
  return { ...worldOf([first, ...others]), redis }
}

export function worldOf(instances: readonly TestService[]): World {
  let next = 0
  const [first] = instances as [TestService]
  return {
    instances,
    sql: first.database.sql,
    at(address = freshNetworkAddress(), cookie) {
      const { app } = instances[next++ % instances.length] as TestService
      const browser = new Browser(app, issuer, cookie)
      browser.address = address
      return browser
    },
  }
}

/** Its limiter has reached Redis. */
export const counting = ({ addresses }: TestService) =>
  eventually(async () => {
    const metrics = await (await fetch(`${addresses.probes}/metrics`)).text()
    return /^mintmark_redis_connected 1$/m.test(metrics) || undefined
  })

export const signIn = (browser: Browser, email: string, password = wrongPassword) =>
  browser.post('/v1/session', { email, password })

/**
 * No more at once than every instance has room for in its queue of hashes. What a machine under load could not judge has
 * cost nothing, and is tried again.
 */
export async function many(
  count: number,
  attempt: (index: number) => Promise<Answer>,
  atOnce = 50,
): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let from = 0; from < count; from += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, count - from) }, (_, index) =>
      judged(() => attempt(from + index)),
    )
    answers.push(...(await Promise.all(batch)))
  }
  return answers
}

async function judged(attempt: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await attempt()
    if (answer.statusCode !== 503 || tries === 10) return answer
  }
}

export const statuses = (answers: readonly Answer[]) => {
  const counts: Record<number, number> = {}
  for (const { statusCode } of answers) counts[statusCode] = (counts[statusCode] ?? 0) + 1
  return counts
}

/** RL-09: a refusal says how long to wait and nothing else. */
export function refused(
  t: Test,
  answer: Answer,
  limit: LimitName,
  seconds: number = limits[limit].seconds,
): void {
  t.equal(answer.statusCode, 429, limit)
  t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
  t.ok(Number(answer.headers['retry-after']) <= seconds, 'no longer than the window')
  // What a navigation is answered is a page.
  if (limit === 'federation by address') {
    t.equal(codeOf(answer), 'too_many_requests')
    t.match(answer.body, /Too many attempts\. Try again in (\d+ minutes|a minute)\./)
  } else {
    t.equal(answer.headers['content-type'], 'application/problem+json')
    t.same(answer.json(), {
      type: 'urn:mintmark:problem:too_many_requests',
      title: 'Too many attempts. Try again later.',
      status: 429,
      code: 'too_many_requests',
      request_id: answer.headers['request-id'],
    })
  }
  t.notMatch(Object.keys(answer.headers).join(), /limit|remaining|reset/i, 'no counts')
  t.notOk(answer.headers['set-cookie'])
}
