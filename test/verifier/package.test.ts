/** The verifier as it is published: packed, looked over, and installed in an empty project. SC-11 of the attack list. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { packed, runIn as run } from '../support/packed.js'
import { root } from '../support/project.mjs'
import { audience, issuer, start, TestIssuer } from '../support/token-issuer.js'

const bin = (name: string) => join(root, 'node_modules/.bin', name)
const { folder, project, tarball, bytes, files, manifest, brought } = await packed(tap, 'verifier')

test('the package holds what was built, its README and its licence, and runs nothing when it is installed', async t => {
  t.same(files, ['LICENSE', 'README.md', 'package.json'])
  t.ok(bytes < 100_000, `${bytes} bytes`)
  const { scripts, dependencies, peerDependencies } = manifest
  t.same(Object.keys(scripts ?? {}), ['prepack'])
  t.same(Object.keys({ ...dependencies, ...peerDependencies }), ['jose'])
  const ours = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies.jose
  t.equal(dependencies?.jose, `^${ours}`, 'what it is tested with is what it asks for')
})

test('publint finds nothing', async t => {
  t.match(await run(root, bin('publint'), 'run', tarball, '--strict'), 'All good!')
})

test('arethetypeswrong finds nothing, for the ES modules that this package consists of', async t => {
  const { analysis, problems = {} } = JSON.parse(
    await run(root, bin('attw'), tarball, '--profile', 'esm-only', '--format', 'json'),
  )
  t.same(Object.keys(analysis.entrypoints).sort(), [
    '.',
    './express',
    './fastify',
    './fetch',
    './node',
    './readers',
  ])
  t.same(
    Object.keys(problems).filter(name => !/^(NoResolution|CJSResolvesToESM)$/.test(name)),
    [],
  )
})

test('in an empty project it brings jose and nothing else', async t => {
  t.same(brought, ['@mintmark', 'jose'])
})

const world = new TestIssuer()
const data = JSON.stringify({ issuer, audience, keys: { keys: [world.signer().jwk] } })
writeFileSync(
  join(project, 'three-lines.ts'),
  `import { createVerifier, type Principal } from '@mintmark/verifier'
import { protect } from '@mintmark/verifier/fetch'
const verifier = createVerifier({ issuer: 'https://id.example.com', audience: 'https://api.example.com' })
const verdict = await verifier.verify('token')
export const principal: Principal | undefined = verdict.ok ? verdict.principal : undefined
export const code: 'expired' | string = verdict.ok ? '' : verdict.code
export const handler: (request: Request) => Promise<Response> = protect(verifier, (_, { sub }) => new Response(sub))
// @ts-expect-error: policy is no option.
createVerifier({ issuer: 'https://id.example.com', audience: 'a', algorithms: ['none'] })
`,
)
writeFileSync(
  join(project, 'run.mjs'),
  `import { createVerifier } from '@mintmark/verifier'
const verifier = createVerifier({ ...${data}, clock: { now: () => ${start * 1000}, after: () => () => {} } })
const verdict = await verifier.verify(${JSON.stringify(world.token())})
console.log(verdict.ok ? verdict.principal.clientId : verdict.code)
for (const name of ['fastify', 'express', 'node', 'fetch']) console.log(Object.keys(await import('@mintmark/verifier/' + name)).join())
`,
)

test('its types are found without any others but the platform’s', async t => {
  const options = [
    '--strict',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2022,dom',
  ]
  const tsc = join(root, 'node_modules/typescript7/bin/tsc')
  t.equal(await run(project, process.execPath, tsc, ...options, '--types', '', 'three-lines.ts'), '')
})

/** What an example takes for granted. */
const given = `
import { createServer } from 'node:http'
import type { Express, RequestHandler } from 'express'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Hono } from 'hono'
import { createVerifier, type Principal, requirePermission, requireTenant, type Verifier } from '@mintmark/verifier'
declare const token: string, issuer: string, audience: string, happenedAt: Date, receivedAt: Date
declare function ordersOf(sub: string): string[]
declare const hono: Hono<{ Variables: { principal: Principal } }>
`
const around: [where: RegExp, declared: string][] = [
  [/verifier\/fastify/, 'declare const app: FastifyInstance\ndeclare const create: () => Promise<string>'],
  [/verifier\/express/, 'declare const app: Express\ndeclare const create: RequestHandler'],
  [
    /socket\.close/,
    `declare const principal: Principal
declare const socket: {
  addEventListener(type: 'close', listener: () => void): void
  close(code: number, reason?: string): void
}`,
  ],
  [
    /request\.params/,
    `import { refuse } from '@mintmark/verifier/fastify'
declare const request: FastifyRequest<{ Params: { tenant: string } }>, reply: FastifyReply`,
  ],
]

test('every example of its README is right by its types', async t => {
  const readme = readFileSync(join(root, 'packages/verifier/README.md'), 'utf8')
  const examples = [...readme.matchAll(/```ts\n([^`]*)```/g)].map(([, code = '']) => code)
  t.ok(examples.length >= 8, `${examples.length} examples`)
  const files = examples.map((code, index) => {
    const parts = [given, code.includes('const verifier =') ? '' : 'declare const verifier: Verifier']
    parts.push(...around.filter(([where]) => where.test(code)).map(([, declared]) => declared))
    const own = code.replace(/^import \{ createVerifier \}.*$/m, '')
    parts.push(own.includes('return refuse') ? `export const handler = () => {\n${own}return reply }` : own)
    const name = `example-${index}.ts`
    writeFileSync(join(project, name), parts.join('\n'))
    return name
  })
  const types = {
    express: '@types/express/index.d.ts',
    fastify: 'fastify/fastify.d.ts',
    hono: 'hono/dist/types/index.d.ts',
  }
  const paths = Object.entries(types).map(([name, from]) => [name, [join(root, 'node_modules', from)]])
  const compilerOptions = {
    ...{
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2024'],
      skipLibCheck: true,
    },
    ...{ paths: Object.fromEntries(paths), types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const tsc = join(root, 'node_modules/typescript7/bin/tsc')
  t.equal(await run(project, process.execPath, tsc, '-p', '.').catch(failed => failed.stdout), '')
})

const said =
  'app\nprotectedRoutes,refuse,requires\nprotect,refuse,requires\nprotect,refuse\nauthenticate,protect,refusal\n'

test('it runs, also where nobody can change what the language consists of', async t => {
  t.equal(await run(project, process.execPath, 'run.mjs'), said)
  t.equal(await run(project, process.execPath, '--frozen-intrinsics', 'run.mjs'), said)
  const required = `console.log(typeof require('@mintmark/verifier').createVerifier)`
  t.equal(await run(project, process.execPath, '--input-type=commonjs', '-e', required), 'function\n')
})

test('it verifies where there is nothing but what the Web has, as in a Worker', async t => {
  const bare = `delete globalThis.Buffer
    Object.defineProperty(globalThis, 'process', { value: undefined })
    await import('./run.mjs')`
  t.equal(await run(project, process.execPath, '--input-type=module', '-e', bare), said)
})

const skip = !process.env.CI && 'it is fetched in CI alone: 50 MB'
test('it runs under the current LTS, too', { skip }, async t => {
  const name = `node-linux-${process.arch}`
  await run(
    folder,
    'npm',
    'install',
    '--no-audit',
    '--no-fund',
    '--prefix',
    join(folder, 'lts'),
    `${name}@26`,
  )
  const lts = join(folder, 'lts/node_modules', name, 'bin/node')
  t.match(await run(project, lts, '--version'), /^v26\./)
  t.equal(await run(project, lts, 'run.mjs'), said)
})
