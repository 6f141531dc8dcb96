/** Every text of the sources and of the reference that somebody may read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { parse } from 'yaml'
import { sourceFiles, textOf } from '../support/literals.js'
import { root } from '../support/project.mjs'

export interface Literal {
  readonly at: string
  readonly text: string
}

/** Names have no space. Statements of SQL and what is put together to one are for Postgres. */
const isProse = (node: ts.Node, text: string) =>
  /\S\s+\S/.test(text) && !(ts.isTaggedTemplateExpression(node.parent) && node.parent.tag.getText() === 'sql')

export function literalsIn(file: string, source: string): Literal[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true)
  const found: Literal[] = []
  const visit = (node: ts.Node): void => {
    const text = textOf(node)
    if (text !== undefined && isProse(node, text)) {
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart())
      found.push({ at: `${file}:${line + 1}`, text })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

export function literalsOfSources(): Literal[] {
  return sourceFiles.flatMap(file => literalsIn(file, readFileSync(join(root, file), 'utf8')))
}

/** Summaries and descriptions of openapi.yaml, each once, with the first place that has it. */
export function textsOfReference(): Literal[] {
  const found = new Map<string, string>()
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (typeof value !== 'string') visit(value, `${path}/${key}`)
      else if (/^(summary|description)$/.test(key) && !found.has(value)) found.set(value, `${path}/${key}`)
    }
  }
  visit(parse(readFileSync(join(root, 'openapi.yaml'), 'utf8')), 'openapi.yaml')
  return [...found].map(([text, at]) => ({ at, text }))
}
