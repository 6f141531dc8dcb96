/** The client of a provider, with its secret opened for the purpose and no longer. */
import { ProviderUnavailable } from '../federation/bounded-fetch.js'
import type { Connection } from '../federation/metadata.js'
import { type ProviderWithSecret, secretSealedAs } from '../federation/provider.js'
import type { FederationParts } from './federation.js'

/** Throws `ProviderUnavailable`: an operator who lost a key-encryption key has lost this provider, and nothing else. */
export async function connectionTo(
  { issuer, keks, connections }: Pick<FederationParts, 'issuer' | 'keks' | 'connections'>,
  provider: ProviderWithSecret,
): Promise<Connection> {
  let secret: Buffer
  try {
    secret = keks.open(provider.kekId, provider.sealedSecret, secretSealedAs(issuer, provider.id))
  } catch (cause) {
    throw new ProviderUnavailable(`its client secret cannot be opened: ${(cause as Error).message}`, {
      cause,
    })
  }
  return connections.to(provider, secret.toString())
}
