/** The three verifiers beside each other on the feed of a real service: whatever befalls it, they say the same. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeProtectedHeader } from 'jose'
import { type Test, test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import { application, serviceKey } from '../harness/world.js'
import { testDatabase } from '../support/database.js'
import { codeOf } from '../support/followed.js'
import { appOrigin, eventually, testService } from '../support/service.js'
import { follow, programs } from './feed/follow.js'

/** What stands at the issuer's address: it passes on, cuts, or gives old answers of the feed again. */
class Front {
  readonly #server: Server
  target = ''
  #mode: 'pass' | 'cut' | 'replay' = 'pass'
  readonly #answers: string[] = []
  #seen = new Set<string>()
  #replayed = 0

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request, response) => {
      this.#answer(request.method ?? '', request.url ?? '', request.headers, response).catch(() =>
        response.destroy(),
      )
    })
  }

  static async listen(t: Test): Promise<Front> {
    const front = new Front(createServer())
    await new Promise<void>(resolve => front.#server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      front.#server.closeAllConnections()
      front.#server.close()
    })
    return front
  }

  /** What was asked before is answered no more. */
  turn(mode: 'pass' | 'cut' | 'replay'): void {
    this.#mode = mode
    this.#server.closeAllConnections()
  }

  /** Until so many verifiers have been answered from now on. */
  async answered(count: number): Promise<void> {
    this.#seen = new Set()
    await eventually(() => this.#seen.size >= count)
  }

  get issuer(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(method: string, url: string, headers: object, response: ServerResponse): Promise<void> {
    const isFeed = url.startsWith('/v1/feed?')
    if (this.#mode === 'cut') return void response.destroy()
    if (this.#mode === 'replay' && isFeed) {
      await delay(100)
      response.end(this.#answers[this.#replayed++ % this.#answers.length])
      return
    }
    const { host, connection, ...passed } = headers as Record<string, string>
    const answer = await fetch(`${this.target}${url}`, { method, headers: passed })
    const text = await answer.text()
    if (isFeed && answer.ok && text !== '') {
      this.#answers.push(text)
      this.#seen.add(new URL(url, this.issuer).searchParams.get('v') ?? '')
    }
    response.writeHead(
      answer.status,
      [...answer.headers].flat().filter((_, at, all) => !hop.test(all[at - (at % 2)] ?? '')),
    )
    response.end(text)
  }
}
const hop = /^(connection|keep-alive|content-length|content-encoding|transfer-encoding)$/

test('a cut, a relay that repeats itself, a restart, a killed key and a new generation: three verifiers, one verdict', async t => {
  const front = await Front.listen(t)
  const { issuer } = front
  const database = await testDatabase(t)
  const { sql } = database
  const env = { ISSUER: issuer }
  const first = await testService(t, { env, database })
  front.target = first.addresses.main
  await application(sql, { clientId: 'spa', audiences: ['api'], origins: [appOrigin] })
  const { key } = await serviceKey(sql, { scopes: ['feed'] })
  let service = first
  const mint = async (name: string) => {
    const { browser } = await service.signUp(`${name}@example.com`)
    const answer = await browser.at(service.app, appOrigin).post('/v1/token', {})
    return { browser, token: answer.json().access_token as string }
  }

  const verifier = createVerifier({
    ...{ issuer, audience: 'api', serviceKey: key },
    revocation: { mode: 'required', maxAgeSeconds: 5 },
  })
  t.teardown(() => verifier.close())
  const others = programs().flatMap(program => {
    if (!('missing' in program.live))
      return [{ name: program.name, ...follow(t, program, issuer, 'required', 'api', { key, maxAge: '5' }) }]
    if (process.env.CI) t.fail(`${program.name} needs ${program.live.missing}`)
    return []
  })
  const verifiers = [
    { name: 'TypeScript', verify: async (token: string) => codeOf(await verifier.verify(token)) },
    ...others.map(({ name, verify }) => ({ name, verify })),
  ]
  /** Each, once it says one of these, at the latest after so long. */
  const all = async (token: string, wanted: string, what: string, seconds = 1) => {
    const isWanted = (code: string) => wanted.split(' or ').includes(code)
    const until = performance.now() + seconds * 1000
    for (const { name, verify } of verifiers) {
      let code = await verify(token)
      while (!isWanted(code) && performance.now() < until) {
        await delay(20)
        code = await verify(token)
      }
      t.ok(isWanted(code), `${name}: ${what}: ${code}`)
    }
  }
  const signOut = async ({ browser }: Awaited<ReturnType<typeof mint>>) =>
    t.equal((await browser.at(service.app).delete('/v1/session')).statusCode, 204)

  const [gone, stays, cut, repeated, restarted] = [
    await mint('gone'),
    await mint('stays'),
    await mint('cut'),
    await mint('repeated'),
    await mint('restarted'),
  ]
  for (const { token } of [gone, stays]) await all(token, 'ok', 'the feed was loaded', 10)
  await signOut(gone)
  await all(gone.token, 'stale_token', 'a sign-out')

  front.turn('cut')
  await signOut(cut)
  await all(cut.token, 'revocation_unknown', 'cut off, N seconds after its last answer', 8)
  await all(gone.token, 'stale_token', 'what was known is known')
  front.turn('pass')
  await all(stays.token, 'ok', 'connected again', 15)
  await all(cut.token, 'stale_token', 'what happened meanwhile')

  front.turn('replay')
  await signOut(repeated)
  await all(repeated.token, 'revocation_unknown', 'what is repeated makes nothing fresh', 8)
  front.turn('pass')
  await all(stays.token, 'ok', 'the relay is honest again', 15)
  await all(repeated.token, 'stale_token', 'what happened meanwhile')

  const next = await testService(t, { env, beside: first })
  service = next
  front.target = next.addresses.main
  await first.close()
  await front.answered(verifiers.length)
  await all(stays.token, 'ok', 'another instance')
  await signOut(restarted)
  await all(restarted.token, 'stale_token', 'a sign-out at another instance')

  const { key: operator } = await serviceKey(sql, { scopes: ['keys:write'] })
  const { kid } = decodeProtectedHeader(stays.token)
  const killed = await service.app.inject({
    ...{ method: 'POST', url: '/v1/admin/signing-keys/compromise', payload: { kid } },
    headers: { authorization: `Bearer ${operator}`, host: new URL(issuer).host },
  })
  t.equal(killed.statusCode, 200, killed.body)
  // Once it is listed no more, it is as unknown as any other.
  await all(stays.token, 'stale_token or unknown_key', 'a killed key ends what it signed')
  const [renewed, last] = [await mint('renewed'), await mint('last')]
  for (const { token } of [renewed, last]) await all(token, 'ok', 'the key that comes after it', 15)
  await signOut(last)
  await all(last.token, 'stale_token', 'a sign-out after it')

  await sql`update service set generation = generation + 1`
  await all(renewed.token, 'stale_token', 'a new generation')
})
