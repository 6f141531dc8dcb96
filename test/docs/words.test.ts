/** What is read is in plain words: no document, no text of the sources and no description of the reference has a phrase that makes a reader stop. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { root } from '../support/project.mjs'
import { type Literal, literalsIn, literalsOfSources, textsOfReference } from './literals.js'

const documents = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'examples/spa/README.md'],
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
  ...['client', 'dev-postgres', 'verifier'].map(name => `packages/${name}/README.md`),
]

/** Each with the plain word. Of documents, code is not looked at, and the generated tables are looked at where they come from. */
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
  [/\bprove (yourself|oneself|themselves)\b/i, 'authenticate again'],
  [/\b(ended|ends) to \w+/i, 'no longer does'],
  [/\be-mails?\b/i, 'email'],
  [/\bthat is every\b/i, 'every'],
  [/\bof this moment\b/i, 'current'],
  [/, as it is\b/i, 'unchanged'],
  [/\bnow or before\b/i, 'now or earlier'],
  [/\bworks? no more\b/i, 'stops working'],
  [/\b(is|are) given replace those\b/i, 'replaces the current one'],
  [/\b(of|for|to) who (is|may|can)\b/i, 'the role or the permission'],
  [/\bnobody believes\b|\b(must )?not be believed\b/i, 'is rejected'],
  [/\bnonsense\b/i, 'an invalid reply'],
  [/\bsomething else than\b/i, 'another'],
  [/\brenew(s|ed) (the|this one’s) (cookie|session)\b|\brenewed session\b/i, 'rotate'],
  [/\bturn(ed)? (it )?off or on\b/i, 'enable, disable'],
]

/** Beside them, in what is read in one line: a page, a message, a description. A document may explain such a word. */
const inOneLine: typeof phrases = [
  ...phrases,
  [/\bspeaks? of\b/i, 'is about'],
  [/\b(counts?|counted) (as|for|now|nothing)\b|\b(does|do) not count\b/i, 'is accepted, is valid'],
  [/\bpersons?\b/i, 'user'],
  [/\bnone of (them|it|ours)\b|\b(are|is) none\b/i, 'no, unexpected, invalid'],
  [/\b(that|who|which) asks\b|\bask about\b/i, 'the current one, introspect'],
  [/\bopen(s|ed) nothing\b/i, 'is rejected'],
]

/** Frozen: values of the log field `reason`. Others search for them. */
const frozen = ['it is not an identity of this person', 'the authentication at this provider does not count']

function prose(markdown: string): string {
  return markdown
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/^<!-- .*? -->$.*?^<!-- end of .*? -->$/gms, '')
    .replaceAll(/`[^`\n]*`/g, '')
}

function found(text: string, wanted = phrases): string[] {
  return wanted.flatMap(([phrase, plain]) => {
    const [part] = phrase.exec(text) ?? []
    return part === undefined ? [] : [`"${part}": say ${plain}`]
  })
}

/** Limits are named in the settings, in metrics and in the log. Options of commands are named in messages. */
const named = new RegExp(`^(${Object.keys(limits).join('|')})$|--[a-z][a-z-]*|\`[^\`]*\``, 'g')

const foundIn = (literals: readonly Literal[]) =>
  literals
    .filter(({ text }) => !frozen.includes(text))
    .flatMap(({ at, text }) => found(text.replaceAll(named, ''), inOneLine).map(one => `${at}: ${one}`))

for (const name of documents) {
  test(`${name} is in plain words`, async t => {
    t.same(found(prose(readFileSync(join(root, name), 'utf8'))), [])
  })
}

test('every text of the sources is in plain words', async t => {
  const literals = literalsOfSources()
  t.ok(literals.length > 1000, `${literals.length} were read`)
  t.same(foundIn(literals), [])
  const texts = literals.map(({ text }) => text)
  t.same(
    frozen.filter(text => !texts.includes(text)),
    [],
    'every exception is there',
  )
})

test('every description of openapi.yaml is in plain words', async t => {
  const texts = textsOfReference()
  t.ok(texts.length > 150, `${texts.length} were read`)
  t.same(foundIn(texts), [])
})

test('a phrase is found, and code is not looked at', async t => {
  t.same(found(prose('Ask whoever it is.\n')), ['"whoever": say anybody who, or the role itself'])
  t.same(found(prose('Use `--counts-as-proof`.\n```sh\n# the truth\n```\n')), [])
})

test('a phrase is found in each kind of text of a source, and in no name and no statement', async t => {
  const source = `
    // whoever
    const names = ['person', \`current password by person\`, sql\`select a as person\`]
    say('A person.', \`End \${all} sessions of a person\`, html\`<p>Of this moment</p>\`)
    refuse('set --counts-as-proof, which counts for step-up')`
  t.same(foundIn(literalsIn('file.ts', source)), [
    'file.ts:4: "person": say user',
    'file.ts:4: "person": say user',
    'file.ts:4: "Of this moment": say current',
    'file.ts:5: "counts for": say is accepted, is valid',
  ])
})
