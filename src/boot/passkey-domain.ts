/** The domain that passkeys belong to (WebAuthn Level 3, section 4, "RP ID"): which it may be, and that it stays. */
import { getDomain } from 'tldts'
import { StartRefused } from '../core/errors.js'
import type { Database } from '../store/postgres/database.js'
import { recordedRpId } from '../store/postgres/rp-id.js'

export const hostOf = (issuer: string) => new URL(issuer).hostname

/** Browsers take the host itself, and of its parents those that are nobody else's. */
export function rpIdFaults({
  issuer,
  passkeyRpId: id,
}: {
  readonly issuer: string | undefined
  readonly passkeyRpId: string | undefined
}): string[] {
  if (id === undefined) return []
  const host = issuer !== undefined && URL.canParse(issuer) ? hostOf(issuer) : 'localhost'
  if (id === host) return []
  const isParent = host.endsWith(`.${id}`) && getDomain(id, { allowPrivateDomains: true }) !== null
  if (isParent) return []
  return [
    `MINTMARK_PASSKEY_RP_ID ${id} is neither the host of ISSUER nor a parent domain of it that can be registered: set it to ${host}, or remove it`,
  ]
}

/** A passkey works under the domain it was made for, and under no other: the first start decides. */
export async function recordRpId(database: Database, id: string): Promise<void> {
  const recorded = await recordedRpId(database, id)
  if (recorded === id) return
  throw new StartRefused([
    `the passkeys of this database belong to ${recorded}, and MINTMARK_PASSKEY_RP_ID (or, if it is not set, the host of ISSUER) is ${id}: set MINTMARK_PASSKEY_RP_ID to ${recorded}`,
  ])
}
