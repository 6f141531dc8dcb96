/** Logins of the tests' server, which all its databases share: each test has its own, and leaves none. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { Test } from 'tap'
import { testServer } from './database.js'
import { forwarded } from './tcp.js'

export interface Login {
  readonly name: string
  /** On that database, by TCP. */
  url(database: string): string
}

/** As a superuser, on no database in particular. */
export async function asSuperuser(...statements: string[]): Promise<void> {
  const { template: _, ...server } = testServer()
  const sql = postgres({ ...server, max: 1, onnotice: () => {} })
  try {
    for (const statement of statements) await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

/**
 * Asked for before the databases on which it has rights: those are gone before it is dropped. Rights as in `create role`;
 * `'none'`: somebody else makes it.
 */
export async function newLogin(t: Test, rights = ''): Promise<Login> {
  const name = `login_${randomBytes(6).toString('hex')}`
  const port = await forwarded(t)
  if (rights !== 'none') await asSuperuser(`create role ${name} login password 'secret' ${rights}`)
  // With what it may do on databases that outlive it.
  t.teardown(() =>
    asSuperuser(
      `do $$ begin if to_regrole('${name}') is not null then drop owned by ${name}; end if; end $$`,
      `drop role if exists ${name}`,
    ),
  )
  return { name, url: database => `postgres://${name}:secret@127.0.0.1:${port}/${database}` }
}
