/** What a start says where the keys folder holds no key: whether one is missing, or the first is still to be made. */
import type { Address } from '../store/postgres/connection.js'
import { Database } from '../store/postgres/database.js'
import { postgresKeyRingStore } from '../store/postgres/keys/key-ring-store.js'

/** `address`: undefined where the settings are wrong, so that no database can be asked. */
export async function noKeyFault(folder: string, address: Address | undefined): Promise<string> {
  const sealed = address && (await sealedUnder(address))
  if (sealed && sealed.length > 0)
    return `the key-encryption key of this database is missing in ${folder}: put ${sealed.join(', ')} back into ${folder} (a new key cannot open its data)`
  const make = `mkdir -p ${folder} && (umask 077 && openssl rand -base64 32 > ${folder}/first.kek)`
  if (sealed) return `there is no key-encryption key in ${folder}: make one (${make}), and keep it safe`
  return `there is no key-encryption key in ${folder}: put back the one that this database was sealed with, or make one (${make}) for a new database, and keep it safe`
}

/** The files of the keys that its signing keys are sealed under; undefined where it cannot be asked, or has no tables yet. */
async function sealedUnder(address: Address): Promise<readonly string[] | undefined> {
  const database = new Database(address, { connections: 1 })
  try {
    const { keys } = await postgresKeyRingStore(database).read()
    return [...new Set(keys.flatMap(({ kekId }) => (kekId === null ? [] : [`${kekId}.kek`])))]
  } catch {
    return undefined
  } finally {
    await database.close()
  }
}
