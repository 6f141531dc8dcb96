/** Whatever Postgres sends, an answer is right or 503: no living session is gone, nobody gets another's. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { testDatabase } from '../support/database.js'
import { testService } from '../support/service.js'
import { mangler } from './nonsense/mangler.js'
import { postgresNonsense as nonsense } from './nonsense/postgres.js'
import { talkNonsense } from './nonsense/talk.js'

test('Postgres talks nonsense: what it is asked costs a 503 at most', async t => {
  const database = await testDatabase(t)
  const folder = await mkdtemp(join(tmpdir(), 'mn-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { host, port } = database.address
  const name = `.s.PGSQL.${port}`
  const between = await mangler(t, nonsense, { path: join(host, name) }, join(folder, name))
  const service = await testService(t, { database, address: { ...database.address, host: folder } })
  // One answer of Postgres is several messages.
  await talkNonsense(t, { service, between, nonsense, probabilities: [0.003, 0.01, 0.05] })
})
