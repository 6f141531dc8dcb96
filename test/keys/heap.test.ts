/** KY-09: what a heap dump of a process that signs holds: neither a private half nor a key-encryption key as text. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { openKeyRing } from '../../src/keys/key-ring.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { testDatabase } from '../support/database.js'
import { rootUrl } from '../support/project.mjs'
import { folderWithKey } from '../support/ring.js'

const issuer = 'https://id.example.com'
const dist = new URL('dist/', rootUrl)

const program = `
import { writeHeapSnapshot } from 'node:v8'
const { loadKeyEncryptionKeys } = await import('${dist}sealing/key-encryption-keys.js')
const { openKeyRing } = await import('${dist}keys/key-ring.js')
const { Database } = await import('${dist}store/postgres/database.js')
const { postgresKeyRingStore } = await import('${dist}store/postgres/keys/key-ring-store.js')
const { address, folder, kid, file } = JSON.parse(process.env.HEAP)
const database = new Database(address, { connections: 1 })
const { keys } = await loadKeyEncryptionKeys(folder)
const ring = await openKeyRing(postgresKeyRingStore(database), keys, '${issuer}')
const signer = await ring.signer(kid)
const history = await ring.history()
globalThis.marker = 'that strings are found in it: ' + kid.length
await ring.refresh()
globalThis.gc()
globalThis.kept = { keys, ring, signer, history }
writeHeapSnapshot(file)
process.exit(0)`

test('KY-09: no private half and no key-encryption key is text in the heap of a process that signs', async t => {
  const { address } = await testDatabase(t)
  const folder = await folderWithKey(t)
  const database = new Database(address)
  t.teardown(() => database.close())
  const { keys: keks } = await loadKeyEncryptionKeys(folder)
  const store = postgresKeyRingStore(database)
  const ring = await openKeyRing(store, keks, issuer)
  const kid = (await store.read()).keys.find(({ signsFrom }) => signsFrom !== null)?.kid
  const { private: half } = await ring.signer(kid)
  const file = join(folder, 'heap.heapsnapshot')
  const env = { PATH: process.env.PATH, HEAP: JSON.stringify({ address, folder, kid, file }) }
  execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], { env })
  const heap = readFileSync(file, 'latin1')
  t.ok(heap.includes('that strings are found in it'), 'the dump is one')
  const { d = '' } = half.export({ format: 'jwk' })
  const kek = (await readFile(join(folder, 'first.kek'), 'utf8')).trim()
  const secrets = [d, kek].flatMap(text => {
    const bytes = Buffer.from(text, 'base64')
    return [
      bytes.toString('base64url'),
      bytes.toString('base64'),
      bytes.toString('hex'),
      bytes.toString('latin1'),
    ]
  })
  const pkcs8 = half.export({ format: 'der', type: 'pkcs8' }).toString('base64')
  for (const secret of [...secrets, pkcs8.slice(0, 60), pkcs8.slice(60, 120)])
    t.notOk(heap.includes(secret), secret.slice(0, 8))
})
