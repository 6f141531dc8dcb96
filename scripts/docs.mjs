/**
 * Writes what the documents take from the code, each table between its markers: `npm run docs` writes it, the tests
 * compare it. A column that only a person can write is kept, by the first cell of its row.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { limits } from '../dist/accounts/throttle.js'
import { allSettings } from '../dist/boot/config.js'
import { includedInTenants, platformPermissions, platformRoles } from '../dist/core/authority.js'
import { addGauges, createMetrics } from '../dist/http/middleware/metrics.js'
import { catalogue } from '../dist/http/middleware/problem.js'

const root = new URL('../', import.meta.url)
const read = file => readFileSync(new URL(file, root), 'utf8')
const code = text => `\`${text}\``
const codes = texts => texts.map(code).join(', ')
const manifest = JSON.parse(read('package.json'))

/** What the reference has. */
function routes() {
  return Object.entries(parse(read('openapi.yaml')).paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary }]) => [
      code(`${method.toUpperCase()} ${path}`),
      `${summary}.`,
    ]),
  )
}

/** Our own, in the order in which `/metrics` has them. */
function metrics() {
  const { registry } = createMetrics()
  addGauges(registry, {})
  return registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('mintmark_'))
    .map(({ name, labelNames = [] }) => [code(name), codes(labelNames)])
}

function permissions() {
  return platformPermissions.map(one => [
    code(one),
    codes(Object.keys(platformRoles).filter(role => platformRoles[role].includes(one))),
    codes(includedInTenants[one] ?? []),
  ])
}

/** The members of the union in the source: a type leaves nothing behind that could be asked. */
function auditActions() {
  const [, union] = /type AuditAction =([^/]*?)\n\n/.exec(read('src/audit/events.ts'))
  return [...union.matchAll(/'([^']+)'/g)].map(([, action]) => [code(action)])
}

const packages = part => Object.keys(manifest[part]).map(name => [code(name)])

/** Each stands in its document between two comments with its name. `kept`: the columns that the document itself says. */
const tables = [
  {
    file: 'docs/configuration.md',
    name: 'settings',
    head: ['setting', 'default', 'meaning'],
    rows: allSettings.map(row => [code(row.env), row.default ? code(row.default) : 'none', row.meaning]),
  },
  { file: 'docs/api.md', name: 'routes', head: ['route', 'purpose'], rows: routes() },
  {
    file: 'docs/api.md',
    name: 'permissions',
    head: ['permission', 'platform roles that hold it', 'what it includes in every tenant'],
    rows: permissions(),
  },
  {
    file: 'docs/errors.md',
    name: 'errors',
    head: ['code', 'status', 'title'],
    rows: Object.entries(catalogue).map(([name, [status, title]]) => [code(name), status, title]),
  },
  {
    file: 'docs/rate-limits.md',
    name: 'limits',
    head: ['limit', 'attempts', 'window'],
    rows: Object.entries(limits).map(([name, one]) => [code(name), one.points, `${one.seconds / 60} min`]),
    kept: ['what takes a point'],
  },
  {
    file: 'docs/monitoring.md',
    name: 'metrics',
    head: ['metric', 'labels'],
    rows: metrics(),
    kept: ['meaning'],
  },
  {
    file: 'docs/audit-log.md',
    name: 'audit actions',
    head: ['action'],
    rows: auditActions(),
    kept: ['`done`', '`refused`, and why'],
  },
  {
    file: 'docs/packages.md',
    name: 'packages',
    head: ['package'],
    rows: packages('dependencies'),
    kept: ['reason'],
  },
  {
    file: 'docs/packages.md',
    name: 'development packages',
    head: ['package'],
    rows: packages('devDependencies'),
    kept: ['reason'],
  },
]

function envExample() {
  const offers = allSettings.map(
    row => `${comment(row.meaning)}# ${row.env}=${row.default || row.example || ''}\n`,
  )
  return [
    '# Copy this file to .env and uncomment what you set. docs/configuration.md says more.\n',
    ...offers,
  ].join('\n')
}

/** Without its links, in lines of at most 120 characters. */
function comment(markdown) {
  const text = markdown.replaceAll(/ \(\[[^)]+\)\)/g, '').replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
  return text.replaceAll(/(.{1,118})(\s+|$)/g, '# $1\n')
}

/** The last cells of the row that begins with this one. A cell may hold `\|`. */
export function keptCells({ file, name, kept = [] }, table, first) {
  if (kept.length === 0) return []
  const row = table.split('\n').find(line => line.startsWith(`| ${first} |`)) ?? ''
  const cells = row.slice(1, -1).split(/(?<!\\)\|/)
  const texts = cells.slice(-kept.length).map(cell => cell.trim())
  if (row === '' || texts.every(text => text === ''))
    throw new Error(`${file} says nothing about ${first}: write its row into the table "${name}"`)
  return texts
}

/** Every document of which something is generated, as it ought to be. */
export function describeDocuments() {
  const documents = { '.env.example': envExample() }
  for (const table of tables) {
    const { file, name, head, rows, kept = [] } = table
    const text = documents[file] ?? read(file)
    const [begin, end] = [`<!-- ${name}: npm run docs -->\n`, `<!-- end of ${name} -->`]
    const [before, now, after] = text.split(new RegExp(`(?<=${begin})|(?=${end})`))
    if (after === undefined) throw new Error(`${file} has no place for the table "${name}"`)
    const filled = rows.map(cells => [...cells, ...keptCells(table, now, cells[0])])
    const [top, ...lines] = [[...head, ...kept], ...filled].map(cells =>
      `| ${cells.join(' | ')} |\n`.replaceAll('|  |', '| |'),
    )
    documents[file] = [before, top, `${'|---'.repeat(head.length + kept.length)}|\n`, ...lines, after].join(
      '',
    )
  }
  return documents
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [file, text] of Object.entries(describeDocuments())) writeFileSync(new URL(file, root), text)
}
