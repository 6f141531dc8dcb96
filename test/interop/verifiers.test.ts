/** Programs that know only the issuer's address and their audience: they accept our tokens, and nothing else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { root } from '../support/project.mjs'
import { reachableIssuer, walked } from './issuer.js'
import { type Command, go, isRefused, nimbus, python, run, spring } from './programs.js'

/** Its source, the page that shows it, and how it is made to run. */
interface Program {
  readonly name: string
  readonly source: string
  readonly page?: string
  readonly build: () => Command
  /** It takes one token: of each way to a session, test/harness/tokens.test.ts asks jose in its words. */
  readonly takesOne?: true
}

const programs: readonly Program[] = [
  {
    name: 'jose',
    source: 'examples/verify-token.mjs',
    build: () => [process.execPath, 'examples/verify-token.mjs'],
    takesOne: true,
  },
  {
    name: 'PyJWT',
    source: 'test/interop/pyjwt.py',
    page: 'docs/verify-in-python.md',
    build: () => python('test/interop/pyjwt.py', 'jwt', 'cryptography'),
  },
  { name: 'golang-jwt', source: 'test/interop/go/main.go', page: 'docs/verify-in-go.md', build: go },
  {
    name: 'Nimbus',
    source: 'test/interop/java/VerifyToken.java',
    page: 'docs/verify-in-java.md',
    build: nimbus,
  },
  { name: 'Spring Security', source: 'test/interop/spring/VerifyWithSpring.java', build: spring },
]

/** A line for each token; one that takes one at a time is asked about each. */
async function verified(
  { takesOne }: Program,
  command: readonly string[],
  args: readonly string[],
  tokens: readonly string[],
): Promise<readonly string[]> {
  if (!takesOne) return run(command, args, tokens)
  const lines: string[] = []
  for (const token of tokens)
    lines.push(
      await run(['sh', '-c', '"$@" 2>&1 | tr "\\n" " "; echo', 'sh', ...command], args, [token]).then(
        ([said = '']) => (said.startsWith('{') ? said : `refused: ${said}`),
      ),
    )
  return lines
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function withClaims(token: string, change: object): string {
  const [header, payload = '', signature] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return [header, part({ ...claims, ...change }), signature].join('.')
}

test('off-the-shelf verifiers need only the issuer, and take the tokens of every way to a session', async t => {
  // Before the service is there: a build holds this process up, and with it the service's own clockwork.
  const commands = programs.map(program => ({ program, command: program.build() }))
  const lenient = python('test/interop/lenient.py', 'jose.jwt')
  const world = await reachableIssuer(t)
  const { issuer, app } = world.service
  const tokens = await walked(world)
  const [other] = await walked(await reachableIssuer(t), 1)
  const [{ token } = { token: '' }] = tokens
  const [header = '', payload, signature] = token.split('.')
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const history = (await app.inject('/.well-known/historical-keys')).body

  const refused: [what: string, token: string][] = [
    ['another issuer’s token', other?.token ?? ''],
    ['a changed claim', withClaims(token, { sub: 'somebody else' })],
    ['a token without a signature', `${part({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`],
    ['another type', `${part({ alg: 'ES256', typ: 'JWT', kid })}.${payload}.${signature}`],
    ['the key history', history],
  ]
  for (const { program, command } of commands) {
    const { name } = program
    if ('missing' in command) {
      if (process.env.CI) t.fail(`${name} needs ${command.missing}`)
      else t.pass(`${name} verifies a token`, { skip: `no ${command.missing}` })
      continue
    }
    const some = program.takesOne
      ? [...new Set(tokens.map(({ way }) => way.authenticated))].flatMap(
          time => tokens.find(({ way }) => way.authenticated === time) ?? [],
        )
      : tokens
    const asked = [...some.map(({ token }) => token), ...refused.map(([, token]) => token)]
    const lines = await verified(program, command, [issuer, 'mintmark'], asked)
    for (const [index, { way, user }] of some.entries()) {
      const said = lines[index] ?? ''
      t.ok(!isRefused(said) && said.includes(user), `${name} takes a token of ${way.way}`, { said })
      const time = /auth_time"?\s*[:=]\s*\d/.test(said)
      t.equal(time, way.authenticated !== 'never', `${name}: and a time where there is one`, { said })
    }
    for (const [index, [what]] of refused.entries()) {
      const said = lines[some.length + index]
      t.ok(isRefused(said), `${name} refuses ${what}`, { said })
    }
    const [elsewhere] = await verified(program, command, [issuer, 'demo-api'], [token])
    t.ok(isRefused(elsewhere), `${name} refuses a token for another audience`, { said: elsewhere })
  }

  if ('missing' in lenient) {
    if (process.env.CI) t.fail(`python-jose is missing: ${lenient.missing}`)
    else t.pass('a library that compares issuer and audience alone', { skip: lenient.missing })
    return
  }
  const [taken, document] = await run(lenient, [issuer, 'mintmark'], [token, history])
  t.notOk(isRefused(taken), 'a library that compares issuer and audience alone takes a token', {
    said: taken,
  })
  t.ok(isRefused(document), 'and no other document that these keys sign', { said: document })
})

test('each page shows the program that was tried, to the letter', async t => {
  for (const { name, source, page } of programs) {
    if (page === undefined) continue
    const text = readFileSync(join(root, source), 'utf8')
    t.ok(readFileSync(join(root, page), 'utf8').includes(`\n${text}\`\`\`\n`), `${name}: ${page}`)
  }
})
