/** A key ring over a real database with a key-encryption key of its own, and a principal to mint for. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { handleOf } from '../../src/core/handle.js'
import type { Principal, SessionId, TenantId, UserId } from '../../src/core/principal.js'
import { openKeyRing } from '../../src/keys/key-ring.js'
import { signerOf } from '../../src/keys/schedule.js'
import type { Key, KeyRingStore } from '../../src/keys/store.js'
import { loadKeyEncryptionKeys, makeFirstKey } from '../../src/sealing/key-encryption-keys.js'
import type { TokenBasis } from '../../src/sessions/store.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { type TestDatabase, testDatabase } from './database.js'

export async function folderWithKey(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-keys-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await makeFirstKey(folder)
  return folder
}

/** The parts of a ring: its rows, and the key-encryption key that they are sealed under. */
export async function ringParts(t: Test, behind?: TestDatabase) {
  const { address, sql } = behind ?? (await testDatabase(t))
  const database = new Database(address)
  t.teardown(() => database.close())
  const store: KeyRingStore = postgresKeyRingStore(database)
  const { keys: keks } = await loadKeyEncryptionKeys(await folderWithKey(t))
  return { store, keks, sql, address }
}

/** A ring that has been founded, and its signer. `now`: the seconds at which its signer began. */
export async function testRing(t: Test, issuer: string) {
  const parts = await ringParts(t)
  const ring = await openKeyRing(parts.store, parts.keks, issuer)
  const { keys, now: readAt } = await parts.store.read()
  const { kid, signsFrom } = signerOf(keys, readAt) as Key
  return { ...parts, ring, now: Math.ceil(signsFrom ?? 0), kid, signer: await ring.signer(kid) }
}

/** Signed in a minute ago, for an hour. */
export function principal(now: number, more: Partial<Principal> = {}): Principal {
  return {
    user: 'd9b2c7a0-5b0f-4b1e-8a58-0c6e0f7a2d11' as UserId,
    session: 'AAECAwQFBgcICQoLDA0ODw' as SessionId,
    authTime: now - 60,
    amr: ['pwd'],
    acr: 'aal1',
    endsAt: now + 3600,
    tenant: 'none',
    ...more,
  }
}

/** Of a token of a tenant: service, user, application, membership, tenant. */
export const basis: TokenBasis = {
  generation: 1_764_219_600,
  handles: [1, 2, 3, 4, 5].map(byte => handleOf(Buffer.alloc(8, byte))),
}

export const tenantId = '3f0e1c52-7d1c-4f0a-9a63-5a3f0f9f6a10' as TenantId
