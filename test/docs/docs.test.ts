/** The documents say what the code does: each table is compared with what it describes. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getTableColumns } from 'drizzle-orm'
import { test } from 'tap'
import { parse } from 'yaml'
import { parseConfig } from '../../src/boot/config.js'
import { refusals } from '../../src/http/handlers/federation.js'
import { createMetrics } from '../../src/http/middleware/metrics.js'
import { catalogue } from '../../src/http/middleware/problem.js'
import { auditEvents } from '../../src/store/postgres/schema/tables.js'
import { listRoutes } from '../harness/routes.js'
import { slowTests } from '../kinds.mjs'
import { root, rootUrl } from '../support/project.mjs'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const readme = read('README.md')
const monitoring = read('docs/monitoring.md')
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => read(join('src', name)))
const openapi = read('openapi.yaml')
const document = parse(openapi)

/** The cells of every table row of a section, without its heads. A cell may hold `\|`. */
function rows(heading: string, text = readme): string[][] {
  const section = text.split(/^## /m).find(part => part.startsWith(`${heading}\n`)) ?? ''
  return section
    .split('\n')
    .filter((line, index, lines) => line.startsWith('|') && !isHead(line, lines[index + 1]))
    .map(line => line.slice(1, -1).split(/(?<!\\)\|/))
    .map(cells => cells.map(cell => cell.trim()))
}

function isHead(line: string, next = ''): boolean {
  return /^\|[-|]+\|$/.test(line) || /^\|[-|]+\|$/.test(next)
}

/** What stands in code quotes. */
const quoted = (text = '') => [...text.matchAll(/`([^`]+)`/g)].map(match => match[1] ?? '')
const names = (heading: string, file: string) => rows(heading, read(file)).flatMap(([first]) => quoted(first))

/** Every name that the configuration asks its environment for. */
function settings(): string[] {
  const asked = new Set<string>()
  parseConfig(new Proxy({}, { get: (_, name) => void asked.add(String(name)) }))
  return [...asked].sort()
}

test('the table of what a provider is refused for is complete', t => {
  const table = rows('When it does not work', read('docs/providers.md')).flatMap(([first]) => quoted(first))
  t.same(table.toSorted(), Object.keys(refusals).sort())
  t.end()
})

test('openapi.yaml is what the route schemas generate', async t => {
  const script = new URL('scripts/openapi.mjs', rootUrl).href
  const { describeApi } = (await import(script)) as { describeApi: () => Promise<string> }
  t.equal(openapi, await describeApi(), 'run `npm run openapi`')
})

test('the tables of the documents, and .env.example, are what the code generates', async t => {
  const script = new URL('scripts/docs.mjs', rootUrl).href
  const { describeDocuments } = (await import(script)) as { describeDocuments: () => Record<string, string> }
  const documents = Object.entries(describeDocuments())
  t.ok(documents.length > 7)
  for (const [file, text] of documents) t.equal(read(file), text, `${file}: run \`npm run docs\``)
})

test('a row that the code has and a document does not describe is found', async t => {
  const script = new URL('scripts/docs.mjs', rootUrl).href
  const { keptCells } = (await import(script)) as { keptCells: (...given: unknown[]) => string[] }
  const table = { file: 'docs/packages.md', name: 'packages', kept: ['reason'] }
  const described = '| `pino` | JSON logs. |\n| `tap` | |\n'
  t.same(keptCells(table, described, '`pino`'), ['JSON logs.'])
  for (const name of ['`tap`', '`stranger`'])
    t.throws(() => keptCells(table, described, name), { message: /docs\/packages\.md says nothing about/ })
})

test('openapi.yaml has no fault by the linter’s rules', async t => {
  const cli = join(root, 'node_modules/@redocly/cli/bin/cli.js')
  const { PATH = '', HOME = root } = process.env
  const quiet = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [cli, 'lint', 'openapi.yaml', '--max-problems=1000', '--format=json'],
    { cwd: root, env: { PATH, HOME, ...quiet }, encoding: 'utf8' },
  )
  t.equal(status, 0, stderr)
  t.same(JSON.parse(stdout).problems, [])
})

test('every error code is in openapi.yaml', async t => {
  t.same(document.components.schemas.Problem.properties.code.enum, Object.keys(catalogue))
})

test('every code that a route may answer stands at its own status', async t => {
  for (const [path, methods] of Object.entries<object>(document.paths)) {
    for (const [method, { responses }] of Object.entries(methods)) {
      for (const [status, { description }] of Object.entries<{ description: string }>(responses)) {
        t.not(description, 'Default Response', `${method} ${path} ${status} is described`)
        if (Number(status) < 400) continue
        const codes = quoted(description).filter(code => code in catalogue)
        t.ok(codes.length > 0, `${method} ${path} ${status} names its codes`)
        for (const code of codes) t.equal(catalogue[code as keyof typeof catalogue][0], Number(status), code)
      }
    }
  }
})

test('every setting that the service reads is documented, and in .env.example, and no other', async t => {
  t.same(
    quoted(
      rows('', `## \n${read('docs/configuration.md')}`)
        .map(([first]) => first)
        .join(),
    ).sort(),
    settings(),
  )
  const example = read('.env.example').split('\n')
  const offered = example.flatMap(line => /^# ?([A-Z_]+)=/.exec(line)?.[1] ?? [])
  t.same(offered.sort(), settings())
  t.same(
    example.filter(line => line !== '' && !line.startsWith('#')),
    [],
    'a copy changes nothing until a line is uncommented',
  )
})

test('every reason for a package is a sentence', async t => {
  const reasons = rows('', `## \n${read('docs/packages.md')}`)
  t.ok(reasons.length > 40)
  for (const [name = '', reason = ''] of reasons) t.match(reason, /^\S.*\.$/, name)
})

test('every route, page and probe is in docs/api.md, and no other', async t => {
  const described = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  )
  const pages = (await listRoutes()).filter(
    ({ method, url, takes }) => method === 'GET' && takes === undefined && !url.startsWith('/assets/'),
  )
  t.ok(described.length > 0)
  t.ok(pages.length > 10)
  const all = [...described, ...pages.map(({ key }) => key), 'GET /metrics']
  t.same(names('Routes', 'docs/api.md').sort(), all.sort())
})

test('every promise is in the README, and every test that it names exists', async t => {
  const promises = rows('Promises')
  t.same(
    promises.map(([id]) => id),
    ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7'],
  )
  for (const [id = '', , held] of promises) {
    const files = quoted(held).filter(text => text.startsWith('test/'))
    t.ok(files.length > 0, `${id} names a test`)
    for (const file of files) t.ok(existsSync(join(root, file)), `${id}: ${file}`)
  }
})

test('every metric that is not ours is the client library’s, as docs/monitoring.md says', async t => {
  const others = (await createMetrics().registry.getMetricsAsJSON()).filter(
    ({ name }) => !name.startsWith('mintmark_'),
  )
  t.ok(others.length > 10)
  for (const { name } of others) t.match(name, /^(process|nodejs)_/)
})

test('every value that a label can have is in docs/monitoring.md', async t => {
  const described = new Map(
    rows('Metrics', monitoring).map(([name, , meaning]) => [quoted(name)[0], quoted(meaning)]),
  )
  /** The members of a union of texts, or what stands at the places where a value is chosen, wherever that is. */
  const values = (at: RegExp) =>
    sources.flatMap(text =>
      [...text.matchAll(at)].flatMap(([, some = '']) =>
        [...some.matchAll(/'([^']+)'/g)].map(([, one]) => one),
      ),
    )
  const expected: [string, (string | undefined)[]][] = [
    [
      'sign_ins',
      [
        ...values(/type SignInRefusal =([^\n]*(?:\n +\|[^\n]+)*)/g),
        ...values(/type (?:CodeRefusal|SecondStepRefusal) =([^\n]*(?:\n +\|[^\n]+)*)/g),
        ...values(/refused: SignInRefusal \| ('[^']+')/g),
        ...values(/metrics\.signIn\([^\n]*('[^']+')\)/g),
      ],
    ],
    ['mints', ['minted', ...values(/type Decision =[^/]*?refused: ('[^}]+)\}/g)]],
    ['sessions_refused', values(/type Gone =([^/]*?)\n\n/g)],
    [
      'background',
      [
        ...values(/background\(job: string, outcome: ([^,]+),/g),
        ...values(/metrics\.background\(('[^']+')/g),
        ...values(/inBackground\(('[^']+')/g),
      ],
    ],
  ]
  for (const [name, values] of expected) {
    t.ok(values.length > 4, `${name}: ${values}`)
    t.same([...new Set(described.get(`mintmark_${name}_total`))].sort(), [...new Set(values)].sort(), name)
  }
})

test('every alert asks for metrics and labels that exist', async t => {
  const named = new Map(
    rows('Metrics', monitoring).map(([name, labels]) => [quoted(name)[0], quoted(labels)]),
  )
  const alerts = rows('Alerts', monitoring)
  t.ok(alerts.length > 8)
  for (const [what, cell] of alerts) {
    const [expression = ''] = quoted(cell)
    for (const [, metric = '', selectors = ''] of expression.matchAll(/(mintmark_\w+)(?:\{([^}]*)\})?/g)) {
      const labels = named.get(metric.replace(/_(count|bucket|sum)$/, ''))
      t.ok(labels, `${what}: ${metric}`)
      for (const [, label = ''] of selectors.matchAll(/(\w+)[!=]?[=~]/g))
        t.ok(labels?.includes(label), `${what}: ${label}`)
    }
  }
})

test('every column of the audit log is in docs/audit-log.md, and no other', async t => {
  const columns = Object.values(getTableColumns(auditEvents)).map(column => column.name)
  t.same(names('Columns', 'docs/audit-log.md').sort(), columns.sort())
})

/** Parts between placeholders, of what a document quotes as a sentence: four words or more, and no command. */
const sentence = /^(?:… )?[a-z][a-z'’-]*,?(?:[ :,]+(?:…|[A-Za-z0-9'’-]+),?){3,}$/
const command = /^(npm|npx|node|mintmark|git|grant|go|pip|curl|sign-in by|current password by) /

function unsaid(text: string): string[] {
  const said = sources.join('\n').replaceAll(/\$\{[^}]*\}/g, '…')
  return quoted(text.replaceAll(/^```.*?^```/gms, ''))
    .filter(span => sentence.test(span) && !command.test(span))
    .filter(span => !span.split('…').every(part => said.includes(part)))
}

test('every line of the log that a document quotes is in the code', async t => {
  const documents = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md'))
  for (const name of documents) t.same(unsaid(read(`docs/${name}`)), [], name)
  t.same(unsaid('`a provider cannot be reached` and `a provider was never there`'), [
    'a provider was never there',
  ])
})

test('the lines for Spring Security are those of the program that the tests run', async t => {
  const [, shown = ''] =
    /## With Spring Security.*?```java\n(.*?)```/s.exec(read('docs/verify-in-java.md')) ?? []
  const tested = read('test/interop/spring/VerifyWithSpring.java')
  t.match(shown, /clientId\("web"\)/)
  t.ok(tested.includes(shown.replace('"web"', '"mintmark"')), shown)
})

test('the lock file has a checksum for every package, and no address to fetch one from', async t => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, object> }
  const links = Object.entries(packages).filter(([, entry]) => 'link' in entry)
  t.same(
    links.map(([path, entry]) => [path, 'resolved' in entry && entry.resolved]),
    ['client', 'dev-postgres', 'verifier'].map(name => [
      `node_modules/@mintmark/${name}`,
      `packages/${name}`,
    ]),
    'what is ours lies here',
  )
  const entries = Object.entries(packages).filter(
    ([path, entry]) => path.includes('node_modules/') && !('link' in entry),
  )
  t.ok(entries.length > 100)
  const without = entries.filter(([, entry]) => !('integrity' in entry) && !('inBundle' in entry))
  t.same(
    without.map(([path]) => path),
    [],
  )
  t.same(
    entries.filter(([, entry]) => 'resolved' in entry).map(([path]) => path),
    [],
  )
})

test('the lock file and package.json name the same packages', async t => {
  const wanted = JSON.parse(read('package.json'))
  const locked = JSON.parse(read('package-lock.json')).packages['']
  t.same(locked.dependencies, wanted.dependencies)
  t.same(locked.devDependencies, wanted.devDependencies)
  t.same(locked.workspaces, wanted.workspaces)
})

test('CONTRIBUTING names every test that `npm test` leaves to `npm run test:slow`', t => {
  t.ok(slowTests.length > 5)
  const named =
    read('CONTRIBUTING.md').match(/`test\/[a-z-/]+(\/|\.test\.ts)`(?=[^\n]*Run them before)/g) ?? []
  t.same(
    named.map(name => name.slice(1, -1)),
    slowTests,
  )
  for (const path of slowTests) t.ok(existsSync(`${root}${path}`), path)
  t.end()
})
