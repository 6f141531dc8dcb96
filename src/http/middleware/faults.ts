/** Where a request is not in its form and how, in our own words: never with what it held, nor in a library's words. */
import type { FastifySchemaValidationError } from 'fastify/types/schema.js'

type Found = Pick<FastifySchemaValidationError, 'keyword' | 'instancePath' | 'schemaPath' | 'params'>

export interface Fault {
  /** RFC 6901: in the body, the query or the path. */
  readonly pointer: string
  readonly detail: string
}

export function faultsIn(found: readonly Found[]): Fault[] {
  const unions = found.filter(({ keyword }) => keyword === 'anyOf')
  const optionsOf = (union: Found) => found.filter(one => one.schemaPath.startsWith(`${union.schemaPath}/`))
  const options = new Set(unions.flatMap(optionsOf))
  return found
    .filter(one => !options.has(one))
    .map(one => (one.keyword === 'anyOf' ? unionFault(one, optionsOf(one)) : fault(one)))
}

/** One that is of the right type is told what its own option asks for; any other one, what the options are. */
function unionFault({ instancePath }: Found, options: readonly Found[]): Fault {
  const closest = options.find(({ keyword }) => keyword !== 'type' && keyword !== 'const')
  if (closest) return fault(closest)
  const kinds = options.map(({ keyword, params }) =>
    keyword === 'const' ? literal(params.allowedValue) : typeName(params.type),
  )
  return { pointer: instancePath, detail: `Must be ${list(kinds)}.` }
}

function fault({ keyword, instancePath, params }: Found): Fault {
  if (keyword !== 'additionalProperties')
    return { pointer: instancePath, detail: (details[keyword] ?? malformed)(params) }
  const member = String(params.additionalProperty).slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')
  return { pointer: `${instancePath}/${member}`, detail: 'Unknown name.' }
}

const malformed = () => 'Has an invalid format.'
const details: Readonly<Record<string, (params: Found['params']) => string>> = {
  required: ({ missingProperty }) => `\`${String(missingProperty)}\` is missing.`,
  type: ({ type }) => `Must be ${typeName(type)}.`,
  const: ({ allowedValue }) => `Must be ${literal(allowedValue)}.`,
  minLength: ({ limit }) => `Must have at least ${count(limit, 'character')}.`,
  maxLength: ({ limit }) => `Must have at most ${count(limit, 'character')}.`,
  minimum: ({ limit }) => `Must be at least ${String(limit)}.`,
  maximum: ({ limit }) => `Must be at most ${String(limit)}.`,
  minItems: ({ limit }) => `Must have at least ${count(limit, 'item')}.`,
  maxItems: ({ limit }) => `Must have at most ${count(limit, 'item')}.`,
  uniqueItems: () => 'Must not contain an item twice.',
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
}
const typeName = (type: unknown) => typeNames[String(type)] ?? String(type)
const literal = (value: unknown) => `\`${String(value)}\``
const count = (limit: unknown, what: string) => `${String(limit)} ${what}${limit === 1 ? '' : 's'}`
const list = (words: readonly string[]) =>
  [words.slice(0, -1).join(', '), words.at(-1)].filter(one => one !== '').join(' or ')
