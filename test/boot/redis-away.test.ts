/** Why a Redis cannot be used is said at the start and in the log, each reason with its own remedy. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { dirname, join } from 'node:path'
import { type Test, test } from 'tap'
import { StartRefused } from '../../src/core/errors.js'
import { announce } from '../../src/store/redis/announcements.js'
import { freePort } from '../support/free-port.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { eventually, testService } from '../support/service.js'
import { certificateFor } from '../support/tls-front.js'

/** The port of a running server with these options. */
async function running(t: Test, options: readonly string[]): Promise<string> {
  const redis = await redisServer(t, options)
  redis.start()
  const { port } = new URL(redis.url)
  await eventually(async () => {
    const socket = createConnection(Number(port), '127.0.0.1')
    const reached = await once(socket, 'connect').then(
      () => true,
      () => undefined,
    )
    socket.destroy()
    return reached
  })
  return port
}

function tlsOptions(t: Test): readonly string[] {
  const { key, cert, authority } = certificateFor(t, 'IP:127.0.0.1')
  const files = { key: join(dirname(authority), 'redis.key'), cert: join(dirname(authority), 'redis.pem') }
  writeFileSync(files.key, key)
  writeFileSync(files.cert, cert)
  return ['--tls-cert-file', files.cert, '--tls-key-file', files.key, '--tls-auth-clients', 'no']
}

test('a wrong certificate authority, a wrong password, TLS on one side alone and nobody there are told apart', {
  skip,
}, async t => {
  const withTls = await running(t, [...tlsOptions(t), '--tls-ca-cert-dir', '/etc/ssl/certs'])
  const withPassword = await running(t, ['--requirepass', 'right'])
  const password = 'the server does not accept this user with this password'
  const authority = 'NODE_EXTRA_CA_CERTS must contain the authority that signed it'
  const cases: readonly (readonly [address: string, remedy: string])[] = [
    [`rediss://127.0.0.1:${withTls}`, authority],
    [`redis://127.0.0.1:${withTls}`, 'write rediss:// if the server requires TLS'],
    [`rediss://127.0.0.1:${withPassword}`, 'that the server supports TLS (or use redis'],
    [`redis://127.0.0.1:${withPassword}`, password],
    [`redis://:wrong@127.0.0.1:${withPassword}`, password],
    [`redis://somebody:right@127.0.0.1:${withPassword}`, password],
    [`redis://127.0.0.1:${await freePort()}`, 'that the server is running and accepts this user'],
  ]
  const remedies = [...new Set(cases.map(([, remedy]) => remedy))]
  const only = (said: string, remedy: string, where: string) =>
    t.strictSame(
      remedies.filter(other => said.includes(other)),
      [remedy],
      `${where}: ${said}`,
    )
  for (const [address, remedy] of cases) {
    for (const REDIS_URL of [address, `${address},${address}`]) {
      const start = testService(t, { env: { SESSION_STORE: 'redis', REDIS_URL } })
      const error = await start.then(
        () => undefined,
        error => error,
      )
      t.type(error, StartRefused)
      only(String(error.faults), remedy, `the start with ${REDIS_URL}`)
    }
    const service = await testService(t, { env: { REDIS_URL: address } })
    const line = await eventually(() => service.logLines.find(line => line.includes('Redis is away')))
    only(line, remedy, `the log with ${address}`)
    t.notMatch(line, /wrong@|right@/)
    await t.rejects(announce(address, 'keys'), { message: new RegExp(remedy.replaceAll(/[()]/g, '\\$&')) })
  }
})
