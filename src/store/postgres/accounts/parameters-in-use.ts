/** How many stored password hashes have which parameters. */
import { sql } from 'drizzle-orm'
import type { ParametersInUse } from '../../../accounts/password-decoys.js'
import type { Database } from '../database.js'
import { passwords, service } from '../schema/tables.js'

/** 64 MiB: a fraction of a second, so that no statement meets its deadline, however large the table is. */
const blocksAtOnce = 8192

/** A PHC string without its last two fields, the salt and the hash. */
const parametersOf = sql`
  left(phc, greatest(0, length(phc) - length(split_part(phc, '$', -1)) - length(split_part(phc, '$', -2)) - 2))`

/** The key is the epoch of the service: random, known to the database alone, and replaced by a recovery only. */
export async function parametersInUse(database: Database): Promise<ParametersInUse> {
  const [found] = await database.read(db =>
    db.execute<{ key: string; blocks: number }>(sql`
      select epoch::text as key,
        (pg_relation_size('passwords') / current_setting('block_size')::int)::int as blocks from ${service}`),
  )
  if (!found) throw new Error('the table of the service has no row')
  const counts = new Map<string, number>()
  for (let first = 0; first < found.blocks; first += blocksAtOnce) {
    const rows = await database.read(db =>
      db.execute<{ parameters: string; count: number }>(sql`
        select ${parametersOf} as parameters, count(*)::int as count from ${passwords}
        where ctid >= ${`(${first},0)`}::tid and ctid < ${`(${first + blocksAtOnce},0)`}::tid
        group by 1`),
    )
    for (const { parameters, count } of rows) counts.set(parameters, (counts.get(parameters) ?? 0) + count)
  }
  return { key: found.key, counts }
}
