/** Whether a provider's word counts, and stays so until the transaction ends. */
import { and, eq, sql } from 'drizzle-orm'
import { domainOf, type ProviderProfile } from '../../../federation/profile.js'
import type { Queries } from '../database.js'
import { providers } from '../schema/federation.js'

/**
 * Anybody who turns the provider off, or changes what it may say, waits for what is made of its word here, or is seen by it.
 * Undefined: it is turned off.
 */
export async function wordOf(tx: Queries, provider: string, profile?: ProviderProfile) {
  const domain = profile ? domainOf(profile) : ''
  const [row] = await tx
    .select({ authoritative: sql<boolean>`${domain} = any(${providers.authoritativeFor})` })
    .from(providers)
    .where(and(eq(providers.id, provider), eq(providers.state, 'enabled')))
    .for('share')
  return row
}

export async function isEnabled(tx: Queries, provider: string): Promise<boolean> {
  return (await wordOf(tx, provider)) !== undefined
}
