/** Introspection with sessions in the table. */
import type { IntrospectionStore } from '../../../tokens/introspection.js'
import { type HotReads, sessionInTable, sessionRow } from '../../postgres/hot-reads.js'
import { isSoundIntrospection } from '../../postgres/hot-row.js'
import { introspections, introspectStatementFrom } from '../introspections.js'

const statement = introspectStatementFrom(sessionInTable('$2'))

export function postgresIntrospections(hot: HotReads): IntrospectionStore {
  return introspections(hot, {
    statement,
    given: async () => [],
    isSound: isSoundIntrospection,
    session: sessionRow,
  })
}
