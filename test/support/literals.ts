/** The sources of the service and its packages, and the texts in them. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './project.mjs'

/** From the folder of the project. */
export const sourceFiles: readonly string[] = [
  'src',
  'packages/verifier/src',
  'packages/client/src',
  'packages/dev-postgres/src',
]
  .flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name => join(folder, name)),
  )
  .filter(name => name.endsWith('.ts'))
  .sort()

/** A text as the source has it, with `…` for what is filled in. */
export function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(span => `…${span.literal.text}`).join('')
  return undefined
}
