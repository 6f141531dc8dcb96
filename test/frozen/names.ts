/** Every name that stands on the wire, on a disk or in somebody's dashboard, by its kind. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import { parse } from 'yaml'
import { allSettings } from '../../src/boot/config.js'
import type { OperatorCommand } from '../../src/commands/command.js'
import { createProgram } from '../../src/commands/program.js'
import {
  builtInRoles,
  platformPermissions,
  platformRoles,
  tenantPermissions,
} from '../../src/core/authority.js'
import { addGauges, createMetrics } from '../../src/http/middleware/metrics.js'
import { catalogue } from '../../src/http/middleware/problem.js'
import * as federation from '../../src/store/postgres/schema/federation.js'
import * as tables from '../../src/store/postgres/schema/tables.js'
import { root } from '../support/project.mjs'
import { namesOfSources } from './sources.js'

const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** Each command with its arguments and options, those of its groups before it. */
function commands(command: OperatorCommand, before = ''): string[] {
  const name = `${before}${command.name()}`
  const given = [
    ...command.registeredArguments.map(
      one => `${name} ${one.required ? `<${one.name()}>` : `[${one.name()}]`}`,
    ),
    ...command.options.map(one => `${name} ${one.flags}`),
  ]
  return [name, ...given, ...command.commands.flatMap(one => commands(one as OperatorCommand, `${name} `))]
}

type Node = { readonly [name: string]: unknown } | readonly unknown[] | string | number | boolean | null

/** What a client of the API names: paths, parameters, members of bodies, and texts from closed sets. */
function api(): string[] {
  const document = parse(read('openapi.yaml'))
  const names = new Set<string>()
  const seen = new Set<string>()
  const walk = (node: Node, at: string): void => {
    if (node === null || typeof node !== 'object') return
    if (Array.isArray(node)) {
      for (const one of node) walk(one, at)
      return
    }
    const here = node as Record<string, Node>
    if (typeof here.$ref === 'string') {
      if (seen.has(`${at} ${here.$ref}`)) return
      seen.add(`${at} ${here.$ref}`)
      const parts = here.$ref.split('/').slice(1)
      walk(
        parts.reduce((part, name) => part[name], document),
        at,
      )
      return
    }
    for (const member of Object.keys((here.properties ?? {}) as object)) names.add(`${at}: ${member}`)
    for (const value of [here.enum, here.const].flat())
      if (typeof value === 'string') names.add(`${at}: =${value}`)
    if (typeof here.in === 'string') names.add(`${at}: ${here.in} ${here.name}`)
    for (const child of Object.values(here)) walk(child, at)
  }
  for (const [path, methods] of Object.entries<Record<string, Node>>(document.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const at = `${method.toUpperCase()} ${path}`
      names.add(at)
      const { responses, ...asked } = operation as Record<string, Node>
      walk(asked, at)
      for (const way of asked.security as Record<string, Node>[])
        for (const scheme of Object.keys(way)) walk(document.components.securitySchemes[scheme], at)
      // Problems are the same everywhere, and their codes are a kind of their own.
      for (const [status, response] of Object.entries(responses as Record<string, Node>)) {
        names.add(`${at}: ${status}`)
        if (status < '400') walk(response, `${at}: answer`)
      }
    }
  return [...names]
}

/** What generated clients call the operations and the shapes. */
function referenceNames(): string[] {
  const { paths, components } = parse(read('openapi.yaml'))
  const operations = Object.values<object>(paths).flatMap(methods => Object.values(methods))
  return [...operations.map(({ operationId }) => operationId), ...Object.keys(components.schemas)]
}

async function metrics(): Promise<string[]> {
  const created = createMetrics(() => 0)
  addGauges(created.registry, new Proxy({}, { get: () => () => 0 }) as never)
  return created.registry
    .getMetricsAsArray()
    .map(one => one.name)
    .filter(name => name.startsWith('mintmark_'))
}

function database(): string[] {
  return [...Object.values(tables), ...Object.values(federation)].flatMap(table => {
    if (!is(table, PgTable)) return []
    const { name, columns } = getTableConfig(table)
    return columns.map(column => `${name}.${column.name} ${column.getSQLType()}`)
  })
}

const migrations = () =>
  readdirSync(join(root, 'drizzle'))
    .filter(name => name.endsWith('.sql'))
    .map(
      name =>
        `${name} ${createHash('sha256')
          .update(read(`drizzle/${name}`))
          .digest('hex')}`,
    )

export async function frozenNames(): Promise<Record<string, string[]>> {
  const all: Record<string, string[]> = {
    errors: Object.entries(catalogue).map(([code, [status]]) => `${code} ${status}`),
    api: api(),
    'operations and schemas of openapi.yaml': referenceNames(),
    settings: allSettings.map(({ env }) => env),
    commands: commands(createProgram()),
    metrics: await metrics(),
    permissions: [...platformPermissions, ...tenantPermissions],
    roles: [...Object.keys(platformRoles), ...Object.keys(builtInRoles)],
    database: database(),
    migrations: migrations(),
    ...namesOfSources(),
  }
  return Object.fromEntries(Object.entries(all).map(([kind, names]) => [kind, [...new Set(names)].sort()]))
}
