// The service as `node dist/main.js` starts it, on the bench's Postgres.
import { parseConfig } from '../dist/boot/config.js'
import { openLog } from '../dist/boot/log.js'
import { startService } from '../dist/boot/start.js'
import { openTrustedGeneration } from '../dist/boot/trusted-generation.js'
import { loadKeyEncryptionKeys } from '../dist/sealing/key-encryption-keys.js'

const { address, redisUrl, logLevel, keysFolder, trustedProxies } = JSON.parse(process.env.BENCH)
const config = parseConfig({
  ISSUER: 'http://localhost:4000',
  MINTMARK_LISTEN: '127.0.0.1:0',
  MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
  MINTMARK_LOG_LEVEL: logLevel,
  MINTMARK_TRUSTED_PROXIES: trustedProxies,
  ...(redisUrl && { SESSION_STORE: 'redis', REDIS_URL: redisUrl, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }),
})
const { keys: keks } = await loadKeyEncryptionKeys(keysFolder)
const { log } = openLog(logLevel, 1)
const generation = await openTrustedGeneration(keysFolder)
const service = await startService({
  config,
  address,
  keks,
  generation,
  log,
  mailer: { send: async () => {} },
})
process.send(service.addresses.main)
process.on('disconnect', () => process.exit())
