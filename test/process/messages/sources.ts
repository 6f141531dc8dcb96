/** Every message that refuses a start or fails a command, read from the sources: what each looks like when it is printed. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../../support/project.mjs'

export interface Message {
  /** As it stands in the source, with `…` for what is filled in. */
  readonly text: string
  readonly file: string
  /** Whether a printed line is this message. */
  readonly matches: (printed: string) => boolean
}

const errors = ['StartRefused', 'EmbeddedRefusal', 'CommandFailed', 'InvalidArgumentError']
/** Functions that gather faults take them as their last argument; those that answer them are named for it. */
const gather = /^(faults|risks|unknown|all)\.(push|unshift)$|^refuse$/
const answers = /[fF]aults?$|^(checkPermissions|lineOfStdin)$/

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The constants of a file that are texts, by their names. */
type Constants = ReadonlyMap<string, ts.Expression>

/** Of an expression the texts that it can be; nothing of what is no text here. */
function texts(node: ts.Expression, constants: Constants): string[] {
  const of = (one: ts.Expression) => texts(one, constants)
  if (ts.isIdentifier(node)) {
    const value = constants.get(node.text)
    return value ? of(value) : []
  }
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isTemplateExpression(node)) {
    return [node.templateSpans.reduce((text, { literal }) => `${text}…${literal.text}`, node.head.text)]
  }
  if (ts.isConditionalExpression(node)) return [...of(node.whenTrue), ...of(node.whenFalse)]
  if (ts.isParenthesizedExpression(node)) return of(node.expression)
  if (ts.isArrayLiteralExpression(node)) return node.elements.flatMap(of)
  if (ts.isObjectLiteralExpression(node)) {
    return node.properties.flatMap(property => {
      if (property.name?.getText() !== 'message') return []
      if (ts.isShorthandPropertyAssignment(property)) return of(property.name)
      return ts.isPropertyAssignment(property) ? of(property.initializer) : []
    })
  }
  return []
}

function textsIn(file: string): string[] {
  const tree = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const constants = new Map<string, ts.Expression>()
  const learn = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      if (ts.isTemplateExpression(node.initializer) || ts.isStringLiteralLike(node.initializer))
        constants.set(node.name.text, node.initializer)
    ts.forEachChild(node, learn)
  }
  learn(tree)
  const of = (node: ts.Expression) => texts(node, constants)
  const visit = (node: ts.Node, within: string): void => {
    let inside = within
    if (ts.isFunctionDeclaration(node)) inside = node.name?.text ?? ''
    if (ts.isNewExpression(node) && errors.includes(node.expression.getText())) {
      const parts = (node.arguments ?? []).slice(0, 2).map(of)
      const [what = [], remedy = []] = parts
      const whole = node.expression.getText() === 'EmbeddedRefusal'
      found.push(
        ...what.flatMap(one => (whole && remedy.length > 0 ? remedy.map(other => `${one}\n${other}`) : one)),
      )
    }
    if (ts.isCallExpression(node) && gather.test(node.expression.getText())) {
      const last = node.arguments.at(-1)
      if (last && !ts.isSpreadElement(last)) found.push(...of(last))
    }
    if (ts.isCallExpression(node) && node.expression.getText() === 'lineOfStdin' && node.arguments[0])
      found.push(...of(node.arguments[0]))
    if (ts.isReturnStatement(node) && node.expression && answers.test(inside))
      found.push(...of(node.expression))
    if (ts.isPropertyAssignment(node) && /^(faults|risks|unknown)$/.test(node.name.getText()))
      if (ts.isArrayLiteralExpression(node.initializer)) found.push(...of(node.initializer))
    ts.forEachChild(node, child => visit(child, inside))
  }
  visit(tree, '')
  return found
}

/** The packages for other programs start nothing and have no commands; faults of an ID token are for the log. */
const elsewhere = /^(verifier\/|client\/|federation\/id-token\.ts)/

export function messages(): Message[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !elsewhere.test(name))
    .map(name => `src/${name}`)
  return files.flatMap(file =>
    textsIn(file)
      // One that is filled in as a whole is made of others.
      .filter(text => /[a-z]{2}/.test(text.replaceAll('…', '')))
      .map(text => {
        const form = new RegExp(`(^|\\n)( {2}- )?${text.split('…').map(escaped).join('[^]+')}`)
        return { text, file, matches: printed => form.test(printed) }
      }),
  )
}
