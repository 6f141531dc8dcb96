/** Which providers people are offered: read for pages that anybody may open, so one statement that waits for no connection. */
import type { OfferedProvider } from '../../../federation/store.js'
import { answer, type HotReads } from '../hot-reads.js'
import { isSoundOffer, type OfferedRow } from '../hot-row.js'

const statement = `select ${answer('$1::text')},
  (select coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'countsAsProof', p.counts_as_proof)
    order by p.name, p.id), '[]') from providers p where p.state = 'enabled') as offered
  from service g where g.only`

export async function offeredProviders(hot: HotReads): Promise<readonly OfferedProvider[]> {
  const { offered } = await hot.ask<OfferedRow>('offered', statement, ['offered'], isSoundOffer)
  return offered
}
