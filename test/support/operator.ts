/** An operator beside a running service: commands in both forms, and the admin API's answer to compare with. */
import type { Test } from 'tap'
import { person } from '../harness/world.js'
import { Browser } from './browser.js'
import { commandLine, type Said } from './command.js'
import { issuer, type TestService, type TestServiceOptions, testService } from './service.js'

export interface Operator {
  readonly service: TestService
  readonly mintmark: (...args: string[]) => Promise<Said>
  /** What a command says that must succeed. */
  readonly prose: (t: Test, ...args: string[]) => Promise<string>
  /** The same with `--json`: exactly one document, and nothing beside it. */
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of a document.
  readonly document: (t: Test, ...args: string[]) => Promise<any>
  /** What a command says that must fail, and print nothing. */
  readonly refusal: (t: Test, ...args: string[]) => Promise<string>
  /** What the admin API answers now to the first administrator, who was made by a command. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly api: (path: string) => Promise<any>
}

export async function operator(t: Test, options: TestServiceOptions = {}): Promise<Operator> {
  const service = await testService(t, options)
  const mintmark = await commandLine(t, service.database, undefined, options.env)
  const administrator = await person(service.database.sql)
  const made = await mintmark('users', 'change', administrator.email, '--platform-role', 'administrator')
  if (made.code !== 0) throw new Error(made.err)
  const browser = new Browser(service.app, issuer, administrator.cookie)
  const succeeds = async (test: Test, args: string[]) => {
    const { code, out, err } = await mintmark(...args)
    test.equal(code, 0, `${args.join(' ')}: ${err}`)
    return out
  }
  return {
    service,
    mintmark,
    prose: (test, ...args) => succeeds(test, args),
    document: async (test, ...args) => JSON.parse(await succeeds(test, [...args, '--json'])),
    async refusal(test, ...args) {
      const { code, out, err } = await mintmark(...args)
      test.same([code, out], [1, ''], args.join(' '))
      return err
    },
    async api(path) {
      const answer = await browser.get(`/v1/admin/${path}`)
      return answer.json()
    },
  }
}
