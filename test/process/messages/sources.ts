/** Every message that refuses a start, warns at one or fails a command, read from the sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../../support/project.mjs'

export interface Message {
  /** As it stands in the source, with `…` for what is filled in. */
  readonly text: string
  readonly file: string
}

const errors = [
  'StartRefused',
  'EmbeddedRefusal',
  'CommandFailed',
  'InvalidArgumentError',
  'MigrationRefused',
]
/** Functions that gather faults take them as their last argument; those that answer them are named for it. */
const gather =
  /^((faults|risks|unknown|all|warnings)\.(push|unshift)|refuse|unlessDenied|process\.stderr\.write)$/
const gatheredIn = /^(faults|risks|unknown|warnings)$/
const answers = /[fF]aults?$|^(remedyOf|notTaken|readBack|checkPermissions|saying|keep$)/
/** Functions that explain the words of an operation are named for what is not there, or not done. */
const explains = /^not?[A-Z]\w*$/
/** Where a warning of a start is logged rather than answered. */
const startsIn = 'src/main.ts'
/** Each of its findings that is not well. */
const doctor = 'src/keys/doctor.ts'

/** The constants of a file that are texts, by their names. A name that stands for several is filled in. */
type Constants = ReadonlyMap<string, ts.Expression | undefined>

/** Of an expression the texts that it can be; nothing of what is no text here. */
function texts(node: ts.Expression, constants: Constants): string[] {
  const of = (one: ts.Expression) => texts(one, constants)
  if (ts.isIdentifier(node)) {
    const value = constants.get(node.text)
    return value ? of(value) : []
  }
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isTemplateExpression(node)) {
    const filled = (one: ts.Expression) => (ts.isIdentifier(one) && of(one)[0]) || '…'
    const parts = node.templateSpans.map(span => filled(span.expression) + span.literal.text)
    return [node.head.text + parts.join('')]
  }
  if (ts.isConditionalExpression(node))
    return node.condition.getText() === 'ok'
      ? of(node.whenFalse)
      : [...of(node.whenTrue), ...of(node.whenFalse)]
  if (ts.isParenthesizedExpression(node)) return of(node.expression)
  if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) return of(node.body)
  if (ts.isCallExpression(node) && /\.flatMap$/.test(node.expression.getText()))
    return node.arguments.flatMap(of)
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken)
    return of(node.right)
  if (ts.isArrayLiteralExpression(node)) return node.elements.flatMap(of)
  if (ts.isObjectLiteralExpression(node)) return node.properties.flatMap(one => textOfMember(one, constants))
  return []
}

function textOfMember(member: ts.ObjectLiteralElementLike, constants: Constants): string[] {
  if (member.name?.getText() !== 'message') return []
  if (ts.isShorthandPropertyAssignment(member)) return texts(member.name, constants)
  return ts.isPropertyAssignment(member) ? texts(member.initializer, constants) : []
}

/** `shared`: what files export to each other. */
function constantsOf(tree: ts.SourceFile, shared: Constants): Constants {
  const constants = new Map<string, ts.Expression | undefined>()
  const imported = new Set<string>()
  const learn = (node: ts.Node): void => {
    if (ts.isImportSpecifier(node)) imported.add(node.name.text)
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer) {
      const { text } = node.name
      if (ts.isTemplateExpression(node.initializer) || ts.isStringLiteralLike(node.initializer))
        constants.set(text, constants.has(text) ? undefined : node.initializer)
    }
    ts.forEachChild(node, learn)
  }
  learn(tree)
  return new Map([...[...shared].filter(([name]) => imported.has(name)), ...constants])
}

const isExported = (node: ts.Statement): node is ts.VariableStatement =>
  ts.isVariableStatement(node) && node.modifiers?.[0]?.kind === ts.SyntaxKind.ExportKeyword

function exportsOf(tree: ts.SourceFile): [string, ts.Expression][] {
  return tree.statements
    .filter(isExported)
    .flatMap(({ declarationList }) => declarationList.declarations)
    .flatMap(({ name, initializer }) =>
      initializer && ts.isStringLiteralLike(initializer) ? [[name.getText(), initializer]] : [],
    )
}

function textsIn(tree: ts.SourceFile, shared: Constants): string[] {
  const file = tree.fileName
  const constants = constantsOf(tree, shared)
  const of = (node: ts.Expression | undefined) => (node ? texts(node, constants) : [])
  const found: string[] = []
  const visit = (node: ts.Node, within: string): void => {
    let inside = within
    if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) inside = node.name?.getText() ?? ''
    if (ts.isNewExpression(node) && errors.includes(node.expression.getText())) {
      const [what = [], mend = []] = (node.arguments ?? []).slice(0, 2).map(of)
      const whole = node.expression.getText() === 'EmbeddedRefusal'
      found.push(...what.flatMap(one => (whole ? mend.map(other => `${one}\n${other}`) : one)))
    }
    if (ts.isCallExpression(node)) {
      const called = node.expression.getText()
      if (gather.test(called) || (called === 'log.warn' && file === startsIn))
        found.push(...of(node.arguments.at(-1)))
      if (called === 'lineOfStdin') found.push(...of(node.arguments[0]))
      if (called === 'answered') found.push(...explained(node.arguments[1], of))
    }
    if (ts.isReturnStatement(node) && answers.test(inside)) found.push(...of(node.expression))
    if (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node)) {
      const name = node.name.getText()
      const made = node.initializer
      const judges = made && (ts.isArrayLiteralExpression(made) || ts.isArrowFunction(made))
      if (gatheredIn.test(name) && judges) found.push(...of(made))
      if (name === 'relations' && made && ts.isObjectLiteralExpression(made))
        found.push(
          ...made.properties.flatMap(({ name }) => (name && ts.isStringLiteral(name) ? [name.text] : [])),
        )
      if (explains.test(name) && node.initializer && ts.isArrowFunction(node.initializer))
        found.push(...explained(node.initializer.body, of))
      if (name === 'says' && file === doctor && !isWell(node)) found.push(...of(node.initializer))
    }
    ts.forEachChild(node, child => visit(child, inside))
  }
  visit(tree, '')
  return found
}

/** What the words of an operation mean: a message for each. */
function explained(node: ts.Node | undefined, of: (node: ts.Expression) => string[]): string[] {
  if (node && ts.isParenthesizedExpression(node)) return explained(node.expression, of)
  if (!node || !ts.isObjectLiteralExpression(node)) return []
  return node.properties.flatMap(one => (ts.isPropertyAssignment(one) ? of(one.initializer) : []))
}

const isWell = (node: ts.Node) => /\bok: true\b/.test(node.parent.getText())

/** Faults of an ID token are for the log. */
const elsewhere = 'src/federation/id-token.ts'

export function messages(): Message[] {
  const files = ['src', 'packages/dev-postgres/src']
    .flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
    )
    .filter(file => file.endsWith('.ts') && file !== elsewhere)
    .sort()
  const trees = files.map(file =>
    ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true),
  )
  const shared = new Map(trees.flatMap(exportsOf))
  return trees.flatMap(tree =>
    textsIn(tree, shared)
      // One that is filled in as a whole is made of others.
      .filter(text => /[a-z]{2}/.test(text.replaceAll('…', '')))
      .map(text => ({ text: text.trimEnd(), file: tree.fileName })),
  )
}
