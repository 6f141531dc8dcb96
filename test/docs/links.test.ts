/** What the documents point to exists: links, anchors, and the paths of the project that stand in backticks. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { root } from '../support/project.mjs'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const under = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => !/(^|\/)node_modules\//.test(name))
    .map(name => join(folder, name))
const documents = [
  ...readdirSync(root).filter(name => name.endsWith('.md')),
  ...['docs', 'examples', 'packages'].flatMap(under).filter(name => name.endsWith('.md')),
]

/** As a renderer makes them from headings. */
function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

function brokenLinks(name: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  return targets.filter(target => {
    if (/^(https|mailto):/.test(target)) return false
    const [file, anchor] = target.split('#')
    const to = file ? join(dirname(name), file) : name
    return !existsSync(join(root, to)) || (anchor !== undefined && !anchors(read(to)).includes(anchor))
  })
}

/** The first folders of the project, and the files of ours that stand beside them. */
const ours = /^(?:\.ci|bench|deploy|docs|drizzle|examples|packages|public|scripts|src|test)\//
/** A path of the project: from its root, or from a folder of src/, as `http/server.ts`. */
const looksLikePath = /^[\w.@-]+(?:\/[\w.@*-]+)*(?:\/|\.(?:ts|mjs|md|ya?ml|json|css|svg|py|java|patch))$/

function missingPaths(text: string): string[] {
  const spans = [...text.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, span = '']) => span,
  )
  return spans.filter(
    span =>
      (ours.test(span) || /\.(ts|mjs)$/.test(span)) &&
      looksLikePath.test(span) &&
      ![root, join(root, 'src')].some(folder => existsSync(join(folder, span))),
  )
}

for (const name of documents) {
  test(`${name} points to what exists`, async t => {
    const text = read(name)
    t.match(text, /^# /)
    t.same(brokenLinks(name, text), [])
    t.same(missingPaths(text), [])
  })
}

test('every page of docs/ is in its index', async t => {
  const index = read('docs/README.md')
  const pages = under('docs').filter(name => name.endsWith('.md') && name !== 'docs/README.md')
  t.ok(pages.length > 15)
  for (const page of pages) t.ok(index.includes(`](${page.replace('docs/', '')})`), page)
})

test('every document that a message, a comment or an example names exists', async t => {
  const files = ['src', 'test', 'deploy', 'bench', 'scripts', '.ci', 'packages', 'examples', 'public']
    .flatMap(under)
    .filter(name => /(\.(ts|mjs|js|ya?ml|css|sh)|\/(run|image))$/.test(name) && !/\/dist\//.test(name))
  t.ok(files.length > 300)
  for (const file of files) {
    for (const [path] of read(file).matchAll(/\bdocs\/[\w-]+\.(md|svg)\b/g))
      t.ok(existsSync(join(root, path)), `${file}: ${path}`)
  }
})

test('a link, an anchor and a path that lead nowhere are found', async t => {
  t.same(brokenLinks('docs/api.md', '[a](errors.md) [b](#routes) [c](nowhere.md) [d](errors.md#nowhere)'), [
    'nowhere.md',
    'errors.md#nowhere',
  ])
  t.same(
    missingPaths('`src/main.ts` `http/server.ts` `principal.ts` `src/nowhere/` `test/nowhere.test.ts`'),
    ['principal.ts', 'src/nowhere/', 'test/nowhere.test.ts'],
  )
})
