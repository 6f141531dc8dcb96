/** Gives the schemas of the reference their names, and says what they say as generators of clients read it best. */
import { isDeepStrictEqual } from 'node:util'

/**
 * Moves every schema with a `title` to the components, under that name, and refers to it. A request's body is named for
 * its operation: `CreateUserRequest` of `createUser`.
 */
export function nameSchemas(document) {
  const { schemas } = document.components
  for (const name of Object.keys(schemas)) schemas[name] = membersOf(schemas[name])
  for (const operation of Object.values(document.paths).flatMap(Object.values)) {
    for (const content of Object.values(operation.requestBody?.content ?? {}))
      content.schema = named({ ...content.schema, title: requestName(operation.operationId) })
    for (const parameter of operation.parameters ?? []) parameter.schema = named(parameter.schema)
    for (const { content = {} } of Object.values(operation.responses))
      for (const one of Object.values(content)) one.schema = named(one.schema)
  }
  document.components.schemas = Object.fromEntries(
    Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)),
  )

  function named(schema) {
    const { title: name, ...rest } = membersOf(schema)
    if (name === undefined) return rest
    const before = schemas[name] ?? rest
    if (!isDeepStrictEqual(undescribed(before), undescribed(rest)))
      throw new Error(`two schemas are called ${name}`)
    // One that is described by each answer on its own has no description that is right for all of them.
    schemas[name] = before.description === rest.description ? before : undescribed(before)
    return { $ref: `#/components/schemas/${name}` }
  }

  function membersOf(schema) {
    const { properties, items, anyOf, ...rest } = schema
    if (properties) rest.properties = mapped(properties, named)
    if (items) rest.items = named(items)
    if (anyOf) Object.assign(rest, either(anyOf.map(named)))
    if (rest.enum && !rest.type) return { type: 'string', ...rest }
    return rest
  }
}

/** Texts of a list are an enumeration, and a text or null has two types. */
function either(options) {
  if (options.every(option => option.enum?.length === 1 && option.type === 'string'))
    return { type: 'string', enum: options.flatMap(option => option.enum) }
  const [one, other] = options
  if (options.length === 2 && other.type === 'null' && typeof one.type === 'string')
    return { ...one, type: [one.type, 'null'] }
  return { anyOf: options }
}

const undescribed = ({ description, ...rest }) => rest
const mapped = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))
const requestName = id => `${id[0].toUpperCase()}${id.slice(1)}Request`
