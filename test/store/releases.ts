/** The migrations as earlier states of this release and the releases before had them, and how those applied them. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import type { Test } from 'tap'
import type { Address } from '../../src/store/postgres/connection.js'
import { root } from '../support/project.mjs'

interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[]
}

export const released = join(root, 'drizzle')
export const journal: Journal = JSON.parse(await readFile(join(released, 'meta/_journal.json'), 'utf8'))

/** So many the driver's own migrator has applied, each and all in one transaction. */
export const byTheDriver = 13

/** The first migrations of this release alone, and then one more. */
export async function folderOf(t: Test, first: number, more?: { tag: string; sql: string }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-migrations-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await cp(released, folder, { recursive: true })
  const entries = journal.entries.slice(0, first)
  const when = (journal.entries.at(-1)?.when ?? 0) + 1
  const all = more ? [...entries, { tag: more.tag, when, breakpoints: true }] : entries
  await writeFile(join(folder, 'meta/_journal.json'), JSON.stringify({ ...journal, entries: all }))
  if (more) await writeFile(join(folder, `${more.tag}.sql`), more.sql)
  return folder
}

export async function migrateAsBefore(address: Address, folder: string): Promise<void> {
  const options = { max: 1, onnotice: () => {} }
  const sql = 'url' in address ? postgres(address.url, options) : postgres({ ...address, ...options })
  await migrate(drizzle(sql), { migrationsFolder: folder })
  await sql.end()
}
