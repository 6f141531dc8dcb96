/** The documents are in plain words: phrases that make a reader stop are in none of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { root } from '../support/project.mjs'

const documents = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'examples/spa/README.md'],
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
  ...['client', 'dev-postgres', 'verifier'].map(name => `packages/${name}/README.md`),
]

/** Each with the plain word. Generated tables and code are written elsewhere, and not looked at here. */
const phrases: readonly (readonly [phrase: RegExp, plain: string])[] = [
  [/\bwho(so)?ever\b/i, 'anybody who, or the role itself'],
  [/\bis none\b/i, 'is not a'],
  [/\bthe truth\b/i, 'the primary'],
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  [/\bletter by letter\b|\bto the letter\b/i, 'exact match'],
  [/\bstands by\b|\bstandby key\b/i, 'is the next key'],
  [/\b(fresh|new) proof\b|\bproofs?\b(?! of)/i, 'authentication'],
  [/\b(lies|lay|lain) (in|at|on|under|beside)\b/i, 'is stored in'],
  [/\bin words\b/i, 'as text'],
  [/\bthousand million\b/i, 'billion'],
  [/\banew\b/i, 'again'],
]

function prose(markdown: string): string {
  return markdown
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/^<!-- .*? -->$.*?^<!-- end of .*? -->$/gms, '')
    .replaceAll(/`[^`\n]*`/g, '')
}

function found(markdown: string): string[] {
  return phrases.flatMap(([phrase, plain]) => {
    const [text] = phrase.exec(prose(markdown)) ?? []
    return text === undefined ? [] : [`"${text}": say ${plain}`]
  })
}

for (const name of documents) {
  test(`${name} is in plain words`, async t => {
    t.same(found(readFileSync(join(root, name), 'utf8')), [])
  })
}

test('a phrase is found, and code is not looked at', async t => {
  t.same(found('Ask whoever it is.\n'), ['"whoever": say anybody who, or the role itself'])
  t.same(found('Use `--counts-as-proof`.\n```sh\n# the truth\n```\n'), [])
})
