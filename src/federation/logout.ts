/** A provider ends the sessions that it opened: its logout token is verified, and exactly those it names end. */
import type { RequestContext } from '../audit/events.js'
import { ProviderUnavailable } from './bounded-fetch.js'
import { type ConnectionParts, connectionTo } from './connection.js'
import { judgeLogoutToken } from './logout-token.js'
import type { FederationStore } from './store.js'

export type LogoutAnswer =
  | { readonly ended: number }
  | { readonly refused: string }
  | { readonly unavailable: string }

export type ProviderLogouts = ReturnType<typeof createProviderLogouts>

export interface ProviderLogoutParts extends ConnectionParts {
  readonly federation: Pick<FederationStore, 'provider' | 'logOut'>
}

export function createProviderLogouts(parts: ProviderLogoutParts) {
  const { federation } = parts
  return {
    async take(providerId: string, token: string, context: RequestContext): Promise<LogoutAnswer> {
      const found = await federation.provider(providerId)
      if (!found) return { refused: 'unknown-provider' }
      try {
        const connection = await connectionTo(parts, found.provider)
        const judged = await judgeLogoutToken(found.provider, connection, token, found.now)
        if ('refused' in judged) return judged
        return { ended: await federation.logOut(judged.logout, { user: undefined, context }) }
      } catch (error) {
        if (error instanceof ProviderUnavailable) return { unavailable: error.message }
        throw error
      }
    },
  }
}
