/** Programs that know only the issuer's address and their audience: they accept our tokens, and nothing else. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { freePort } from '../support/free-port.js'
import { root } from '../support/project.mjs'
import { goodPassword, testService } from '../support/service.js'

const { PATH = '', HOME = root } = process.env
const env = { PATH, HOME }
const built = mkdtempSync(join(tmpdir(), 'mintmark-interop-'))
tap.teardown(() => rmSync(built, { recursive: true, force: true }))

/** A program, its first arguments, and the page that shows it; or what is missing to build it. */
interface Program {
  readonly name: string
  readonly source: string
  readonly page?: string
  readonly build: () => readonly string[] | { readonly missing: string }
}

/** In CI nothing may be missing, and a build that fails says why. */
function succeeds(cwd: string, command: string, ...args: string[]): boolean {
  // With the whole environment: a machine may say there how its registries are reached.
  const { status, stderr, error } = spawnSync(command, args, { cwd: join(root, cwd), encoding: 'utf8' })
  if (status !== 0 && process.env.CI) tap.comment(`${command} ${args.join(' ')}: ${error ?? stderr}`)
  return status === 0
}

/** A registry may fail to answer once. */
function downloads(...command: [cwd: string, command: string, ...args: string[]]): boolean {
  return succeeds(...command) || succeeds(...command) || succeeds(...command)
}

function python() {
  const found = ['python3', '/usr/bin/python3'].find(command =>
    succeeds('', command, '-c', 'import jwt, cryptography'),
  )
  return found ? [found, 'test/interop/pyjwt.py'] : { missing: 'python3 with PyJWT' }
}

function go() {
  const program = join(built, 'verify-token')
  return downloads('test/interop/go', 'go', 'build', '-o', program, '.') ? [program] : { missing: 'go' }
}

function java() {
  const version = '10.5'
  const jar = join(
    HOME,
    `.m2/repository/com/nimbusds/nimbus-jose-jwt/${version}/nimbus-jose-jwt-${version}.jar`,
  )
  const get = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get'
  const artifact = `-Dartifact=com.nimbusds:nimbus-jose-jwt:${version}`
  if (!existsSync(jar)) downloads('', 'mvn', '-q', '-B', get, artifact, '-Dtransitive=false')
  return succeeds('test/interop/java', 'javac', '-cp', jar, '-d', built, 'VerifyToken.java')
    ? ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', `${jar}:${built}`, 'VerifyToken']
    : { missing: 'a JDK with Maven' }
}

const programs: Program[] = [
  {
    name: 'jose',
    source: 'examples/verify-token.mjs',
    build: () => [process.execPath, 'examples/verify-token.mjs'],
  },
  { name: 'PyJWT', source: 'test/interop/pyjwt.py', page: 'docs/verify-in-python.md', build: python },
  { name: 'golang-jwt', source: 'test/interop/go/main.go', page: 'docs/verify-in-go.md', build: go },
  {
    name: 'Nimbus',
    source: 'test/interop/java/VerifyToken.java',
    page: 'docs/verify-in-java.md',
    build: java,
  },
]

/** A service that is reached at its issuer's address, as verifiers need it, and a token from it. */
async function issuerWithToken(t: Test) {
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const service = await testService(t, { env: { ISSUER: issuer, MINTMARK_LISTEN: `127.0.0.1:${port}` } })
  const browser = service.browser(null)
  await browser.post('/v1/sign-up', { email: 'ada@example.com' })
  const token = /#token=(.+)$/.exec((await service.mailTo('ada@example.com')).link ?? '')?.[1]
  await browser.post('/v1/sign-up/verify', { token, password: goodPassword })
  const answer = await browser.post('/v1/token', { client_id: 'mintmark' })
  return { issuer, token: answer.json().access_token as string }
}

/** Without blocking: the keys are served by this process. */
function verify([command = '', ...args]: readonly string[], issuer: string, audience: string, token: string) {
  return new Promise<{ accepted: boolean; said: string }>((resolve, reject) => {
    const child = spawn(command, [...args, issuer, audience], { cwd: root, env })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        said += text
      })
    }
    child.on('error', reject)
    child.on('close', code => resolve({ accepted: code === 0, said }))
    child.stdin.end(token)
  })
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

function withClaims(token: string, change: object): string {
  const [header, payload = '', signature] = token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return [header, part({ ...claims, ...change }), signature].join('.')
}

test('off-the-shelf verifiers need only the issuer', async t => {
  // Before the service is there: a build holds this process up, and with it the service's own clockwork.
  const commands = programs.map(({ name, build }) => ({ name, command: build() }))
  const { issuer, token } = await issuerWithToken(t)
  const other = await issuerWithToken(t)
  const [header = '', payload, signature] = token.split('.')
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())

  for (const { name, command } of commands) {
    if ('missing' in command) {
      if (process.env.CI) t.fail(`${name} needs ${command.missing}`)
      else t.pass(`${name} verifies a token`, { skip: `no ${command.missing}` })
      continue
    }
    const tried = async (audience: string, candidate: string) => verify(command, issuer, audience, candidate)
    const good = await tried('mintmark', token)
    t.ok(good.accepted, `${name} verifies a token`, { said: good.said })

    const refused: [string, string, string][] = [
      ['a token for another audience', 'demo-api', token],
      ['another issuer’s token', 'mintmark', other.token],
      ['a changed claim', 'mintmark', withClaims(token, { sub: 'somebody else' })],
      ['a token without a signature', 'mintmark', `${part({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`],
      ['another type', 'mintmark', `${part({ alg: 'ES256', typ: 'JWT', kid })}.${payload}.${signature}`],
    ]
    for (const [what, audience, candidate] of refused) {
      const { accepted, said } = await tried(audience, candidate)
      t.notOk(accepted, `${name} refuses ${what}`, { said })
    }
  }
})

test('each page shows the program that was tried, to the letter', async t => {
  for (const { name, source, page } of programs) {
    if (page === undefined) continue
    const text = readFileSync(join(root, source), 'utf8')
    t.ok(readFileSync(join(root, page), 'utf8').includes(`\n${text}\`\`\`\n`), `${name}: ${page}`)
  }
})
