/** A database of its own for each test file, made from the migrated template that test/run.mjs prepared. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { Test } from 'tap'
import { createRoles, grantRights } from '../../src/store/postgres/service-role.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'

interface Server {
  host: string
  port: number
  user: string
  password: string
  database: string
  template: string
}

export interface TestDatabase {
  readonly address: Omit<Server, 'template'>
  /** For ageing rows and looking at them. */
  readonly sql: postgres.Sql
}

export function testServer(): Server {
  const text = process.env.TEST_POSTGRES
  if (text === undefined)
    throw new Error('run the tests with `npm test`, or one file with `node test/run.mjs <file>`')
  return JSON.parse(text)
}

export async function testDatabase(t: Test, { empty = false } = {}): Promise<TestDatabase> {
  const { template, ...server } = testServer()
  const name = `test_${randomBytes(8).toString('hex')}`
  const admin = postgres({ ...server, max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${name} template ${empty ? 'template0' : template}`)
  const address = { ...server, database: name }
  const sql = postgres({ ...address, max: 4, onnotice: () => {} })
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  t.teardown(async () => {
    await sql.end({ timeout: 1 })
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.unsafe(`drop role if exists "${own?.role}"`)
    await admin.end()
  })
  if (!empty) await takeOver(sql)
  return { address, sql }
}

/** A copy has the rights of the role that its template has, and a role of its own only now. */
async function takeOver(sql: postgres.Sql): Promise<void> {
  await createRoles(sql)
  await sql.begin(tx => grantRights(tx))
}
