/** Who uses the service while its servers talk nonsense, and what each answer is held against: right, or 503. */
import type { LightMyRequestResponse } from 'fastify'
import { newServiceCredential, revealServiceCredential } from '../../../src/core/service-key.js'
import type { Browser } from '../../support/browser.js'
import { eventually, goodPassword, type TestService } from '../../support/service.js'
import type { Chance } from '../random/prng.js'

interface Somebody {
  readonly browser: Browser
  readonly user: string
  readonly email: string
  /** Of a session that stays. */
  readonly token: string
}

export interface Crowd {
  /** Does one thing and answers what was wrong with the answer; undefined: it was right, or 503. */
  act(chance: Chance): Promise<string | undefined>
  /** How many answers were right, by what was asked. */
  readonly right: ReadonlyMap<string, number>
  /** Whether somebody is answered at all. */
  served(): Promise<boolean>
  /** After all has healed: what is not as it was. */
  look(): Promise<string[]>
}

export async function crowd(service: TestService, name: string): Promise<Crowd> {
  const { sql } = service.database
  await sql`insert into applications (client_id, name, audiences) values ('spa', 'SPA', '{api}') on conflict do nothing`
  const credential = newServiceCredential()
  await sql`insert into service_keys (id, secret_hash, name, scopes, audiences)
    values (${credential.id}, ${credential.secret.hash()}, 'api', '{introspect,users:read}', '{api}')`
  const bearer = { authorization: `Bearer ${revealServiceCredential(credential)}` }
  const right = new Map<string, number>()

  const mint = (browser: Browser) => browser.at(service.app, null).post('/v1/token', { client_id: 'spa' })
  /** A busy machine is no nonsense. */
  const minted = (browser: Browser) =>
    eventually(async () => (await mint(browser)).json().access_token as string | undefined, 20)
  const people: Somebody[] = []
  for (const index of [1, 2, 3]) {
    const email = `${name}-${index}@example.com`
    const { browser, user } = await service.signUp(email)
    people.push({ browser, user, email, token: await minted(browser) })
  }
  const gone = await service.signUp(`${name}-gone@example.com`)
  const old = { cookie: gone.browser.cookie, token: await minted(gone.browser) }
  await eventually(async () => (await gone.browser.delete('/v1/session')).statusCode === 204 || undefined, 20)

  /** What the log says of it. */
  const errorsOf = ({ headers }: LightMyRequestResponse) =>
    service.logLines
      .filter(line => line.includes(String(headers['request-id'])) && line.includes('"err"'))
      .join('')

  const introspect = (token: string) =>
    service.app.inject({
      method: 'POST',
      url: '/v1/introspect',
      headers: { ...bearer, 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ token }).toString(),
    })
  const userOf = ({ id }: { id: string }) =>
    service.app.inject({ method: 'GET', url: `/v1/admin/users/${id}`, headers: bearer })
  const signIn = (email: string) => service.browser().post('/v1/session', { email, password: goodPassword })
  const check = (browser: Browser) => browser.at(service.app).get('/v1/session')
  const subjectOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub

  /** What is asked of somebody, and whether an answer that is not 503 is right. */
  const acts: Record<string, (of: Somebody) => Promise<[LightMyRequestResponse, boolean]>> = {
    check: judged(
      ({ browser }) => check(browser),
      (answer, { user }) => answer.json().user?.id === user,
    ),
    mint: judged(
      ({ browser }) => mint(browser),
      (answer, { user }) => subjectOf(answer.json().access_token) === user,
    ),
    introspect: judged(
      ({ token }) => introspect(token),
      (answer, { user }) => answer.json().active === true && answer.json().sub === user,
    ),
    'sign in': judged(
      ({ email }) => signIn(email),
      (answer, { user }) => answer.json().user?.id === user,
      201,
    ),
    'read a person': judged(
      ({ user }) => userOf({ id: user }),
      (answer, { user }) => answer.json().id === user,
    ),
    'check what has ended': judged(
      () => check(service.browser().withCookie(old.cookie)),
      () => true,
      401,
    ),
    'introspect what has ended': judged(
      () => introspect(old.token),
      answer => answer.json().active === false,
    ),
  }

  function judged(
    ask: (of: Somebody) => Promise<LightMyRequestResponse>,
    isRight: (answer: LightMyRequestResponse, of: Somebody) => boolean,
    status = 200,
  ) {
    return async (of: Somebody): Promise<[LightMyRequestResponse, boolean]> => {
      const answer = await ask(of)
      return [answer, answer.statusCode === status && isRight(answer, of)]
    }
  }

  return {
    right,
    async act(chance) {
      const [what, act] = chance.of(Object.entries(acts))
      const [answer, isRight] = await act(chance.of(people))
      if (isRight) right.set(what, (right.get(what) ?? 0) + 1)
      if (isRight || answer.statusCode === 503) return undefined
      return `${what}: ${answer.statusCode} ${answer.body} ${errorsOf(answer)}`
    },
    served: async () => (await check((people[0] as Somebody).browser)).statusCode === 200,
    async look() {
      const wrong: string[] = []
      for (const [what, act] of Object.entries(acts)) {
        for (const one of people) {
          const last = await eventually(async () => {
            const [answer, isRight] = await act(one)
            if (answer.statusCode === 503) return undefined
            return { isRight, said: `${answer.statusCode} ${answer.body}` }
          }, 30)
          if (!last.isRight) wrong.push(`${what}: ${last.said}`)
        }
      }
      return wrong
    },
  }
}
