/** The documents say what the code does: each table is compared with what it describes. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { getTableColumns } from 'drizzle-orm'
import { test } from 'tap'
import { parse } from 'yaml'
import { limits } from '../../src/accounts/throttle.js'
import { parseConfig } from '../../src/boot/config.js'
import { refusals } from '../../src/http/handlers/federation.js'
import { addGauges, createMetrics } from '../../src/http/middleware/metrics.js'
import { catalogue } from '../../src/http/middleware/problem.js'
import { auditEvents } from '../../src/store/postgres/schema/tables.js'
import { slowTests } from '../kinds.mjs'
import { root, rootUrl } from '../support/project.mjs'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const readme = read('README.md')
const operations = read('docs/operations.md')
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
const names = (heading: string) => rows(heading).flatMap(([first]) => quoted(first))

/** As a renderer makes them from headings. */
function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

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
  t.ok(documents.length > 1)
  for (const [file, text] of documents) t.equal(read(file), text, `${file}: run \`npm run docs\``)
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

test('every error code is in openapi.yaml, and in the README with its status and its words', async t => {
  t.same(document.components.schemas.Problem.properties.code.enum, Object.keys(catalogue))
  t.same(
    rows('Errors'),
    Object.entries(catalogue).map(([code, [status, title]]) => [`\`${code}\``, String(status), title]),
  )
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

test('every setting is in the README and in .env.example, and no other', async t => {
  t.same(names('Configuration').sort(), settings())
  const example = read('.env.example').split('\n')
  const offered = example.flatMap(line => /^# ?([A-Z_]+)=/.exec(line)?.[1] ?? [])
  t.same(offered.sort(), settings())
  t.same(
    example.filter(line => line !== '' && !line.startsWith('#')),
    [],
    'a copy changes nothing until a line is uncommented',
  )
})

test('every package is in the README with a reason, and no other', async t => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'))
  t.same(names('Packages').sort(), Object.keys({ ...dependencies, ...devDependencies }).sort())
  for (const [name = '', reason = ''] of rows('Packages')) t.match(reason, /^\S.*\.$/, name)
})

test('every route is in the README, and no other', async t => {
  const described = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  )
  const forPeopleAndProbes = [
    ...['/', '/sign-in', '/sign-up', '/password/forgot', '/password', '/devices', '/step-up', '/sign-out'],
    '/sign-in-methods',
    '/sign-up/verify',
    '/password/reset',
    '/invitations/accept',
    '/healthz',
    '/readyz',
    '/metrics',
  ]
  const routes = [...described, ...forPeopleAndProbes.map(path => `GET ${path}`)]
  t.ok(described.length > 0)
  t.same(names('Routes').sort(), routes.sort())
})

test('every promise is in the README, and every test that it names exists', async t => {
  const promises = rows('Promises')
  t.same(
    promises.map(([id]) => id),
    ['P1', 'P2', 'P3', 'P4', 'P5', 'P6'],
  )
  for (const [id = '', , held] of promises) {
    const files = quoted(held).filter(text => text.startsWith('test/'))
    t.ok(files.length > 0, `${id} names a test`)
    for (const file of files) t.ok(existsSync(join(root, file)), `${id}: ${file}`)
  }
})

test('every limit is in the README and in docs/operations.md, with its points and its window, and no other', async t => {
  const coded = Object.entries(limits).map(([name, { points, seconds }]) => [
    `\`${name}\``,
    String(points),
    `${seconds / 60} min`,
  ])
  t.same(rows('Production'), coded)
  t.same(
    rows('Throttling', operations).map(cells => cells.slice(0, 3)),
    coded,
  )
})

test('every metric is in docs/operations.md with its labels, and no other', async t => {
  const { registry } = createMetrics()
  const none = () => 0
  addGauges(registry, {
    hashesQueued: none,
    refusalsQueued: none,
    statementsPending: none,
    signingKeyAgeSeconds: none,
    redisConnected: () => true,
  })
  const own = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('mintmark_'))
  const labels = (metric: object) => (metric as { labelNames?: string[] }).labelNames ?? []
  t.same(
    rows('Metrics', operations).map(([name = '', used]) => [...quoted(name), ...quoted(used)]),
    own.map(metric => [metric.name, ...labels(metric)]),
  )
  const others = (await registry.getMetricsAsJSON()).filter(({ name }) => !name.startsWith('mintmark_'))
  t.ok(others.length > 10)
  for (const { name } of others) t.match(name, /^(process|nodejs)_/)
})

test('every value that a label can have is in docs/operations.md', async t => {
  const described = new Map(
    rows('Metrics', operations).map(([name, , meaning]) => [quoted(name)[0], quoted(meaning)]),
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
    rows('Metrics', operations).map(([name, labels]) => [quoted(name)[0], quoted(labels)]),
  )
  const alerts = rows('Alerts', operations)
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

test('every column and every action of the audit log is in docs/operations.md, and no other', async t => {
  const described = rows('Audit log', operations).map(([name]) => quoted(name)[0])
  const columns = Object.values(getTableColumns(auditEvents)).map(column => column.name)
  const union = /type AuditAction =([^/]*?)\n\n/.exec(sources.join('\n'))?.[1] ?? ''
  const actions = [...union.matchAll(/'([^']+)'/g)].map(([, action]) => action)
  t.ok(actions.length > 5)
  t.same(described.slice(0, columns.length).sort(), columns.sort())
  t.same(described.slice(columns.length).sort(), actions.sort())
})

const pages = ['python', 'go', 'java'].map(language => `docs/verify-in-${language}.md`)
for (const name of [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/operations.md',
  'packages/client/README.md',
  'packages/dev-postgres/README.md',
  'packages/verifier/README.md',
  ...pages,
]) {
  test(`every link within the project leads somewhere: ${name}`, async t => {
    const text = read(name)
    t.match(text, /^# /)
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https|mailto):/.test(target)) continue
      const [file, anchor] = target.split('#')
      const to = file ? join(dirname(name), file) : name
      t.ok(existsSync(join(root, to)), target)
      if (anchor !== undefined) t.ok(anchors(read(to)).includes(anchor), target)
    }
  })
}

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
