/** What commands say: prose for users or, with `--json`, one document for programs on standard output. */
import type { Page, PageRequest } from '../core/page.js'
import { table } from './table.js'

export interface Form {
  readonly json?: boolean
}
export const asJson = ['--json', 'print JSON, as the admin API returns it'] as const

let reads = true

/** From now on a list ends where it is. */
export function readerIsGone(): void {
  reads = false
}

export const isRead = () => reads

export const print = (line: string) => void (reads && process.stdout.write(`${line}\n`))

export function say({ json }: Form, document: object, prose: readonly string[] | string): void {
  for (const line of json ? [JSON.stringify(document)] : [prose].flat()) print(line)
}

/** Beside the answer: a document stays alone on standard output. */
export function note({ json }: Form, line: string): void {
  if (json) process.stderr.write(`${line}\n`)
  else print(line)
}

export interface Listing<Item> {
  readonly heads: readonly string[]
  readonly row: (item: Item) => readonly string[]
  readonly document: (item: Item) => object
  /** Said where there are not any. */
  readonly none: string
}

export type ListForm = Form & { readonly limit?: number }

/** Says a list as it is read: the first items are there at once, and a long list lies nowhere as a whole. */
export async function sayList<Item>(
  { json, limit = Number.POSITIVE_INFINITY }: ListForm,
  read: (page: PageRequest) => Promise<Page<Item>>,
  { heads, row, document, none }: Listing<Item>,
): Promise<void> {
  const rows = table(heads)
  let said = 0
  if (json) print('{"items":[')
  for await (const items of pages(read, limit)) {
    if (items.length === 0) break
    if (json) print((said > 0 ? ',' : '') + items.map(item => JSON.stringify(document(item))).join(',\n'))
    else for (const line of rows(items.map(row))) print(line)
    said += items.length
  }
  if (json) print(']}')
  else if (said === 0) print(none)
}

async function* pages<Item>(read: (page: PageRequest) => Promise<Page<Item>>, wanted: number) {
  let after: string | undefined
  let left = wanted
  do {
    const { items, next } = await read({ limit: Math.min(left, 100), after })
    yield items
    left -= items.length
    after = next
  } while (after !== undefined && left > 0 && reads)
}
