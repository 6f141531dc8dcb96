/** The commands in the documents are commands that there are, and the documents show all that there are. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { test } from 'tap'
import { createProgram } from '../../src/commands/program.js'
import { rootUrl } from '../support/project.mjs'

const read = (path: string) => readFileSync(new URL(path, rootUrl), 'utf8')

/** The words of each `npx mintmark …` in a code block, without settings before it, input and comments behind it. */
function documented(markdown: string): string[][] {
  const joined = markdown.replaceAll(/\\\n */g, '')
  return [...joined.matchAll(/^ *(?:\w+=\S+ )?npx mintmark (.*?)(?: +< .*)?(?: +#.*)?$/gm)].map(
    ([, line = '']) =>
      [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain),
  )
}

/** The command that these words begin with, by its name, and the words behind it. */
function find(words: readonly string[], command: Command, name = ''): [string, Command, readonly string[]] {
  const next = command.commands.find(one => one.name() === words[0])
  return next ? find(words.slice(1), next, `${name} ${next.name()}`.trim()) : [name, command, words]
}

function names(command: Command, name = ''): string[] {
  if (command.commands.length === 0) return [name]
  return command.commands.flatMap(one => names(one, `${name} ${one.name()}`.trim()))
}

/** What is wrong with a line, as the command itself would see it. */
function fault(words: readonly string[]): string | undefined {
  const [name, command, rest] = find(words, createProgram())
  if (command.commands.length > 0) return `there is no command ${words.join(' ')}`
  const { operands, unknown } = command.parseOptions([...rest])
  if (unknown.length > 0) return `${name} has no option ${unknown[0]}`
  const { length } = command.registeredArguments
  const required = command.registeredArguments.filter(argument => argument.required).length
  return operands.length < required || operands.length > length ? `${name} takes other arguments` : undefined
}

const files = readdirSync(new URL('docs/', rootUrl))
  .filter(name => name.endsWith('.md'))
  .map(name => `docs/${name}`)
  .filter(file => documented(read(file)).length > 0)

for (const file of files) {
  test(`every command in ${file} is one, with options and arguments that it takes`, async t => {
    const lines = documented(read(file))
    for (const words of lines) t.equal(fault(words), undefined, words.join(' '))
  })
}

test('every command is in the documents', async t => {
  t.ok(files.length > 5)
  const lines = files.flatMap(file => documented(read(file)))
  const shown = new Set(lines.map(words => find(words, createProgram())[0]))
  t.same([...shown].sort(), names(createProgram()).sort())
})

test('a line that no command takes is found', async t => {
  const bad = ['users chang x', 'users change x --king', 'tenants show', 'tenants list x', 'users']
  for (const line of bad) t.type(fault(line.split(' ')), 'string', line)
  t.same(documented("A=b npx mintmark users create a@b.c --name 'A B'  # note"), [
    ['users', 'create', 'a@b.c', '--name', 'A B'],
  ])
})
