/** The feed of this instance, the registry of its readers, and the receipts that rest on both. */
import type { FastifyBaseLogger } from 'fastify'
import { createFeed } from '../feed/feed.js'
import { createReceipts } from '../feed/receipts.js'
import { createRegistry } from '../feed/registry.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Database } from '../store/postgres/database.js'
import { postgresFeedStore } from '../store/postgres/feed/feed-store.js'
import { postgresVerifierStore } from '../store/postgres/feed/verifier-store.js'
import type { HotReads } from '../store/postgres/hot-reads.js'
import type { GivenParts } from './wire.js'

export function openFeed(
  { config, log }: Pick<GivenParts, 'config' | 'log'>,
  hot: HotReads,
  database: Database,
  { signer, published }: KeyRing,
) {
  const store = postgresVerifierStore(database)
  const verifiers = createRegistry({
    store,
    failing: telling(
      log,
      'what verifiers have applied cannot be written',
      'what verifiers have applied is written again',
    ),
  })
  const feed = createFeed({
    ...{ issuer: config.issuer, store: postgresFeedStore(hot), signer, published },
    waited: verifiers.waited,
    failing: telling(log, 'the revocation feed cannot be read', 'the revocation feed is read again'),
  })
  return { feed, verifiers, receipts: createReceipts(store, verifiers) }
}

/** That a part fails, and that it works again. */
function telling(log: FastifyBaseLogger, fails: string, works: string) {
  return (error: Error | undefined) => {
    if (error) log.error({ outage: error.message }, fails)
    else log.info(works)
  }
}
