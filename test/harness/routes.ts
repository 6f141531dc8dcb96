/** Every route that the app serves, found while it registers them, and a body for each that it would accept. */
import { pino } from 'pino'
import type postgres from 'postgres'
import { type AppParts, buildApp } from '../../src/app.js'
import { appOrigin, goodPassword, issuer } from '../support/service.js'
import { freshAddress, link, member, type Person, tenant } from './world.js'

export interface Route {
  readonly key: string
  readonly method: string
  readonly url: string
  /** The JSON Schema of its body. */
  readonly body: { properties?: Record<string, BodyMember> } | undefined
  readonly changesState: boolean
}
export interface BodyMember {
  readonly type?: string
  readonly anyOf?: readonly BodyMember[]
  readonly maxLength?: number
  readonly properties?: Record<string, BodyMember>
}

/** The routes are listed without being served: nothing behind them is needed. */
export async function listRoutes(): Promise<Route[]> {
  const found = new Map<string, Route>()
  // `never` fits every part; nothing calls them.
  const behind = new Proxy({}, { get: () => () => undefined }) as never
  const parts: AppParts = {
    issuer,
    product: 'Mintmark',
    passwordMinLength: 15,
    log: pino({ level: 'silent' }),
    trustedProxies: [],
    refused: behind,
    metrics: behind,
    registry: behind,
    ring: behind,
    sessions: behind,
    finish: behind,
    passwordSignIn: behind,
    signUp: behind,
    passwordReset: behind,
    changePassword: behind,
    revocations: behind,
    stepUp: behind,
    health: behind,
    beforeRoutes: async app => {
      app.addHook('onRoute', ({ method, url, schema }) => {
        for (const one of [method].flat()) {
          const key = `${one} ${url}`
          const changesState = !['GET', 'HEAD', 'OPTIONS'].includes(one)
          found.set(key, { key, method: one, url, body: schema?.body as Route['body'], changesState })
        }
      })
    },
  }
  const app = await buildApp(parts)
  await app.ready()
  await app.close()
  return [...found.values()]
}

/** What each state-changing route takes, so that a refusal is never about the body. A new route needs a line here. */
export const acceptable: Record<string, (sql: postgres.Sql, caller: Person) => Promise<object | undefined>> =
  {
    'POST /v1/session': async (_sql, { email }) => ({ email, password: goodPassword }),
    'DELETE /v1/session': async () => undefined,
    'POST /v1/token': async () => ({}),
    'POST /v1/sign-up': async () => ({ email: freshAddress() }),
    'POST /v1/sign-up/verify': async sql => ({
      token: await link(sql, 'sign-up', freshAddress()),
      password: goodPassword,
    }),
    'POST /v1/password/forgot': async (_sql, { email }) => ({ email }),
    'POST /v1/password/reset': async (sql, { email }) => ({
      token: await link(sql, 'password-reset', email),
      password: goodPassword,
    }),
    'PUT /v1/password': async () => ({
      current_password: goodPassword,
      new_password: 'quite other words now',
    }),
    'PUT /v1/session/tenant': async (sql, { id }) => {
      const acme = await tenant(sql)
      await member(sql, id, acme, 'r1')
      return { tenant: acme }
    },
    'POST /v1/session/step-up': async () => ({ password: goodPassword }),
    'DELETE /v1/sessions/:id': async () => undefined,
    'DELETE /v1/sessions': async () => undefined,
  }

/** Its address for this caller: what stands in the path is the caller's own. */
export function urlFor({ url }: Route, { session }: Person): string {
  return url === '*' ? '/v1/token' : url.replace(':id', session)
}

/** Headers as a browser sends them from this origin; `null` is no browser. */
export function headersFrom(origin: string | null, cookie?: string): Record<string, string> {
  const own = origin === issuer
  const sameSite = own || origin === appOrigin || /^http:\/\/localhost:/.test(origin ?? '')
  return {
    'x-mintmark': '1',
    ...(cookie !== undefined && { cookie: `__Host-session=${cookie}` }),
    ...(origin !== null && {
      origin,
      'sec-fetch-site': own ? 'same-origin' : sameSite ? 'same-site' : 'cross-site',
      'sec-fetch-mode': 'cors',
    }),
  }
}
