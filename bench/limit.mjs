// The hand-written limit: the least Fastify server that does the same work. It parses the cookie, hashes the secret,
// runs the service's own statements on the same Postgres in the same way, signs the same token, and writes the same
// log line. It guards nothing, validates nothing and survives nothing.
import { generateKeyPairSync, hash, randomBytes, sign, timingSafeEqual } from 'node:crypto'
import fastify from 'fastify'
import { pino } from 'pino'
import postgres from 'postgres'
import { checkStatement, hotSettings, mintStatement } from '../dist/store/postgres/hot-reads.js'
import { takeRole } from '../dist/store/postgres/session-settings.js'

const { address, logLevel } = JSON.parse(process.env.BENCH)
const client = () =>
  postgres({
    ...address,
    max: 1,
    fetch_types: false,
    onnotice: () => {},
    max_lifetime: null,
    connection: hotSettings,
  })
const clients = [client(), client()]
for (const one of clients) await one.unsafe(takeRole)
let turn = 0
const ask = (statement, parameters) => clients[turn++ & 1].unsafe(statement, parameters, { prepare: true })

const log = pino({ level: logLevel }, pino.destination({ dest: 1, sync: false }))
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: 'x'.repeat(43) })).toString(
  'base64url',
)
const app = fastify({ logger: false })

function proved(request, row) {
  const [, secret] = request.headers.cookie.slice('__Host-session='.length).split('.')
  const presented = hash('sha256', Buffer.from(secret, 'base64url'), 'buffer')
  return (
    row.found &&
    timingSafeEqual(presented, row.secret_hash) &&
    row.epochs_current &&
    row.user_active &&
    !row.ended
  )
}
function held(row) {
  const roles = row.role_ids.map(id => row.roles[id])
  return {
    roles: roles.map(({ name }) => name),
    permissions: [...new Set(roles.flatMap(({ permissions }) => permissions))],
  }
}
const idOf = request => request.headers.cookie.slice('__Host-session='.length, '__Host-session='.length + 22)

app.get('/v1/session', async (request, reply) => {
  const id = idOf(request)
  const [row] = await ask(checkStatement, [id])
  if (!proved(request, row)) return reply.code(401).send()
  return {
    session: {
      id,
      created_at: row.created_at,
      auth_time: row.auth_time,
      amr: row.amr,
      acr: row.acr,
      ends_at: row.ends_at,
    },
    user: { id: row.user_id, email: row.email, name: row.name },
    tenant: { id: row.tenant_id, name: row.tenant_name },
    ...held(row),
  }
})

app.post('/v1/token', async (request, reply) => {
  const id = idOf(request)
  const [row] = await ask(mintStatement, [id, null, request.body.client_id, null])
  if (!proved(request, row) || !row.audiences) return reply.code(401).send()
  const iat = Math.floor(row.now)
  const claims = {
    iss: 'http://localhost:4000',
    sub: row.user_id,
    aud: row.audiences[0],
    exp: iat + row.token_lifetime_seconds,
    iat,
    jti: randomBytes(16).toString('base64url'),
    client_id: request.body.client_id,
    sid: id,
    auth_time: row.auth_time,
    acr: row.acr,
    amr: row.amr,
    tenant: row.tenant_id,
    ...held(row),
  }
  const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return {
    access_token: `${signed}.${signature.toString('base64url')}`,
    token_type: 'Bearer',
    expires_in: row.token_lifetime_seconds,
    sub: row.user_id,
    sid: id,
    tenant: row.tenant_id,
  }
})

app.addHook('onResponse', async (request, reply) => {
  const { method, routeOptions, id: requestId } = request
  const durationMs = Math.round(reply.elapsedTime * 100) / 100
  log.info(
    {
      requestId,
      method,
      route: routeOptions.url,
      status: reply.statusCode,
      durationMs,
      session: idOf(request),
    },
    'request',
  )
})

process.send(await app.listen({ host: '127.0.0.1', port: 0 }))
process.on('disconnect', () => process.exit())
