/** Names that others rely on and that only the sources hold, found by their syntax and their types. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { sourceFiles, textOf } from '../support/literals.js'
import { root } from '../support/project.mjs'

type Found = Record<string, Set<string>>

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), path => readFileSync(path, 'utf8'))
const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)

const program = ts.createProgram(
  sourceFiles.map(file => join(root, file)),
  { ...options, lib: ['lib.es2024.d.ts', 'lib.dom.d.ts'] },
)
const checker = program.getTypeChecker()

/** The texts that a type allows; nothing where it allows any text. */
function literals(type: ts.Type): string[] {
  if (type.isUnion()) return type.types.flatMap(literals)
  return type.isStringLiteral() ? [type.value] : []
}

/** The members of the object that an argument is, with the texts that each can hold. */
function members(argument: ts.Expression | undefined): [name: string, texts: string[]][] {
  if (!argument) return []
  const type = checker.getNonNullableType(checker.getTypeAtLocation(argument))
  if (type.flags & (ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.Any)) return []
  const variants = type.isUnion() ? type.types : [type]
  return variants.flatMap(variant =>
    checker
      .getPropertiesOfType(variant)
      .map((member): [string, string[]] => [
        member.name,
        literals(checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(member, argument))),
      ]),
  )
}

const logCalls = /(^|\.)(log|logger)\.(trace|debug|info|warn|error|fatal)$/
/** What only we write begins so: purposes of keys, channels, keys of Redis, prefixes of secrets, permissions. */
const ours = /^(mintmark[ :_/-]|urn:mintmark:)/
const environment = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/

function visit(node: ts.Node, file: string, found: Found): void {
  const add = (kind: string, ...texts: string[]) => {
    found[kind] ??= new Set()
    for (const text of texts) found[kind].add(text)
  }
  const text = textOf(node)
  if (text !== undefined) {
    // What commands say is prose.
    if (ours.test(text) && !file.startsWith('src/commands/')) add('texts of ours', text)
    if (/^__(Host|Secure)-/.test(text)) add('cookies', text)
    if (environment.test(text)) add('environment', text)
  }
  if (ts.isCallExpression(node)) {
    const called = node.expression.getText()
    const [first, second] = node.arguments
    if (logCalls.test(called))
      for (const [name, values] of members(first)) {
        add('log fields', name, ...values.map(value => `${name}=${value}`))
      }
    if (/\.(inc|labels)$/.test(called))
      for (const [name, values] of members(first))
        add('metric labels', name, ...values.map(value => `${name}=${value}`))
    if (/\.header$/.test(called) && first && textOf(first)) {
      add('headers', textOf(first) ?? '')
      if (second && /allow-headers|expose-headers/.test(textOf(first) ?? ''))
        add('headers', `${textOf(first)}: ${textOf(second)}`)
    }
    if (called === 'process.exit' && first && ts.isNumericLiteral(first)) add('exit codes', first.text)
  }
  if (ts.isElementAccessExpression(node) && /headers$/.test(node.expression.getText()))
    add('headers', textOf(node.argumentExpression) ?? '…')
  if (
    ts.isBinaryExpression(node) &&
    node.left.getText() === 'process.exitCode' &&
    ts.isNumericLiteral(node.right)
  )
    add('exit codes', node.right.text)
  if (ts.isPropertyAssignment(node) && node.name.getText() === 'reason' && file.startsWith('src/'))
    add('reasons', ...literals(checker.getTypeAtLocation(node.initializer)))
  if (ts.isTypeAliasDeclaration(node) && node.name.text === 'AuditAction')
    add('audit actions', ...literals(checker.getTypeAtLocation(node.name)))
  ts.forEachChild(node, child => visit(child, file, found))
}

/** The exports of each entry of a package, and of those that are closed sets of texts their members. */
function exported(folder: string, found: Found): void {
  const { name, exports } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const entries = exports['.'] ? Object.entries<{ types: string }>(exports) : [['.', exports] as const]
  for (const [entry, { types }] of entries) {
    const source = program.getSourceFile(
      join(root, folder, types.replace('dist', 'src').replace('.d.ts', '.ts')),
    )
    const module = source && checker.getSymbolAtLocation(source)
    if (!module) throw new Error(`${folder} has no source for ${entry}`)
    const kind = `exports of ${name}${entry.slice(1)}`
    found[kind] = new Set(
      checker.getExportsOfModule(module).flatMap(symbol => {
        const one = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
        const values =
          one.flags & ts.SymbolFlags.TypeAlias ? literals(checker.getDeclaredTypeOfSymbol(one)) : []
        return [symbol.name, ...values.map(value => `${symbol.name}=${value}`)]
      }),
    )
  }
}

export function namesOfSources(): Record<string, string[]> {
  const found: Found = {}
  for (const file of sourceFiles) {
    const source = program.getSourceFile(join(root, file))
    if (source) visit(source, file, found)
  }
  for (const folder of ['packages/verifier', 'packages/client', 'packages/dev-postgres'])
    exported(folder, found)
  return Object.fromEntries(Object.entries(found).map(([kind, names]) => [kind, [...names]]))
}
