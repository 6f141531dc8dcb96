/** Writes what the documents take from the code, each between its markers: `npm run docs` writes it, the tests compare it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { limits } from '../dist/accounts/throttle.js'
import { settings } from '../dist/boot/settings.js'
import { catalogue } from '../dist/http/middleware/problem.js'

const root = new URL('../', import.meta.url)
const rows = Object.values(settings)
const code = text => `\`${text}\``

/** What the reference has. */
function routes() {
  const { paths } = parse(readFileSync(new URL('openapi.yaml', root), 'utf8'))
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary }]) => [
      code(`${method.toUpperCase()} ${path}`),
      `${summary}.`,
    ]),
  )
}

/** Each stands in its document between two comments with its name. */
const tables = [
  {
    file: 'README.md',
    name: 'settings',
    head: ['setting', 'default', 'meaning'],
    rows: rows.map(row => [code(row.env), row.default ? code(row.default) : 'none', row.meaning]),
  },
  { file: 'README.md', name: 'routes', head: ['route', 'for'], rows: routes() },
  {
    file: 'README.md',
    name: 'errors',
    head: ['code', 'status', 'meaning'],
    rows: Object.entries(catalogue).map(([name, [status, title]]) => [code(name), status, title]),
  },
  {
    file: 'README.md',
    name: 'limits',
    head: ['limit', 'attempts', 'window'],
    rows: Object.entries(limits).map(([name, one]) => [code(name), one.points, `${one.seconds / 60} min`]),
  },
]

function envExample() {
  const offers = rows.map(row => `${comment(row.meaning)}# ${row.env}=${row.default || row.example || ''}\n`)
  return ["# Copy to .env and uncomment what you set. The README's table says more.\n", ...offers].join('\n')
}

/** Without its links, in lines of at most 120 characters. */
function comment(markdown) {
  const text = markdown.replaceAll(/ \(\[[^)]+\)\)/g, '').replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
  return text.replaceAll(/(.{1,118})(\s+|$)/g, '# $1\n')
}

/** Every document of which something is generated, as it ought to be. */
export function describeDocuments() {
  const documents = { '.env.example': envExample() }
  for (const { file, name, head, rows } of tables) {
    const text = documents[file] ?? readFileSync(new URL(file, root), 'utf8')
    const [begin, end] = [`<!-- ${name}: npm run docs -->\n`, `<!-- end of ${name} -->`]
    const [before, , after] = text.split(new RegExp(`(?<=${begin})|(?=${end})`))
    if (after === undefined) throw new Error(`${file} has no place for the ${name}`)
    const [top, ...lines] = [head, ...rows].map(cells => `| ${cells.join(' | ')} |\n`)
    documents[file] = [before, top, `${'|---'.repeat(head.length)}|\n`, ...lines, after].join('')
  }
  return documents
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [file, text] of Object.entries(describeDocuments())) writeFileSync(new URL(file, root), text)
}
