/** A database of its own for each test file, made from the migrated template that test/run.mjs prepared. */
import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { Test } from 'tap'

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
  t.teardown(async () => {
    await sql.end({ timeout: 1 })
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.end()
  })
  return { address, sql }
}
