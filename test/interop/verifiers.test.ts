/** Programs that know only the issuer's address and their audience: they accept our tokens, and nothing else. */
import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { freePort } from '../support/process.js'
import { goodPassword, testService } from '../support/service.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? root }
const python = ['python3', '/usr/bin/python3'].find(
  command => spawnSync(command, ['-c', 'import jwt, cryptography'], { env }).status === 0,
)
const verifiers = [
  { name: 'jose', command: process.execPath, script: 'examples/verify-token.mjs' },
  { name: 'PyJWT', command: python, script: 'test/interop/pyjwt.py' },
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
function verify(command: string, script: string, issuer: string, audience: string, token: string) {
  return new Promise<{ accepted: boolean; said: string }>(resolve => {
    const child = spawn(command, [script, issuer, audience], { cwd: root, env })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        said += text
      })
    }
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
  const { issuer, token } = await issuerWithToken(t)
  const other = await issuerWithToken(t)
  const [header = '', payload, signature] = token.split('.')
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())

  for (const { name, command, script } of verifiers) {
    if (command === undefined && !process.env.CI) {
      t.pass(`${name} verifies a token`, { skip: `no python3 with ${name}` })
      continue
    }
    const tried = async (audience: string, candidate: string) =>
      verify(command ?? 'python3', script, issuer, audience, candidate)
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
