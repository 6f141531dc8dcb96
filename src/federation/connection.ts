/** The client of a provider, with its secret opened for the purpose and no longer. */

import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { ProviderUnavailable } from './bounded-fetch.js'
import type { Connection, Connections } from './metadata.js'
import { type ProviderWithSecret, secretSealedAs } from './provider.js'

export interface ConnectionParts {
  readonly issuer: string
  readonly keks: KeyEncryptionKeys
  readonly connections: Connections
}

/** Throws `ProviderUnavailable`. */
export async function connectionTo(
  parts: ConnectionParts,
  provider: ProviderWithSecret,
): Promise<Connection> {
  return parts.connections.to(provider, await clientSecretOf(parts, provider))
}

/** Throws `ProviderUnavailable`: an operator who lost a key-encryption key has lost this provider, and nothing else. */
export async function clientSecretOf(
  { issuer, keks }: Pick<ConnectionParts, 'issuer' | 'keks'>,
  { id, kekId, sealedSecret }: ProviderWithSecret,
): Promise<string> {
  try {
    // The key that a secret was sealed again under may be new here.
    if (!keks.has(kekId)) await keks.reload()
    return keks.open(kekId, sealedSecret, secretSealedAs(issuer, id)).toString()
  } catch (cause) {
    throw new ProviderUnavailable(`its client secret cannot be opened: ${(cause as Error).message}`, {
      cause,
    })
  }
}
