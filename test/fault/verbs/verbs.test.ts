/** Whatever can be asked for stands in one of two lists: it takes something away, and is tried, or it does not. */
import type { Command } from 'commander'
import { type Test, test } from 'tap'
import { createProgram } from '../../../src/commands/program.js'
import { listRoutes } from '../../harness/routes.js'
import { givingCommands, givingRoutes, verbs } from './index.js'
import { nameOf } from './verb.js'

function commandNames(command: Command, name = ''): string[] {
  if (command.commands.length === 0) return [name]
  return command.commands.flatMap(one => commandNames(one, `${name} ${one.name()}`.trim()))
}

function inOneList(t: Test, there: readonly string[], giving: readonly string[]): void {
  const covered = new Set(verbs.map(({ covers }) => covers).filter(name => there.includes(name)))
  t.same([...covered, ...giving].sort(), [...there].sort())
}

const changes = (await listRoutes()).filter(({ changesState }) => changesState)
const routes = changes.map(({ key }) => key)
/** What answers with something new takes nothing away, unless a verb says what. */
const creating = changes
  .filter(({ method, success }) => method === 'POST' && success === 201)
  .map(({ key }) => key)
  .filter(key => !verbs.some(({ covers }) => covers === key))
const commands = commandNames(createProgram())

test('every route that may change something is tried in the fault suite, or takes nothing away', async t => {
  inOneList(t, routes, [...Object.keys(givingRoutes), ...creating])
  t.same(
    Object.keys(givingRoutes).filter(route => route.startsWith('DELETE')),
    [],
  )
})

test('every command is tried in the fault suite, or takes nothing away', async t => {
  inOneList(t, commands, Object.keys(givingCommands))
  const taking = /(^| )(end|end-all|revoke|disable|suspend|delete|remove|withdraw)$/
  t.same(
    Object.keys(givingCommands).filter(name => taking.test(name)),
    [],
  )
})

test('each verb that is tried is a route or a command that there is, and has a name of its own', async t => {
  const there = new Set([...routes, ...commands])
  t.same(
    verbs.filter(({ covers }) => !there.has(covers)).map(({ covers }) => covers),
    [],
  )
  t.equal(new Set(verbs.map(nameOf)).size, verbs.length)
})
