/** Makes openapi.yaml from the route schemas: `npm run openapi` writes it, the tests compare it. */
import { writeFile } from 'node:fs/promises'
import swagger from '@fastify/swagger'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { buildApp } from '../dist/http/server.js'
import { nameSchemas } from './openapi-schemas.mjs'

export const openapiFile = new URL('../openapi.yaml', import.meta.url)

const tags = [
  { name: 'sign-up', description: 'Registering an account.' },
  { name: 'session', description: 'Signing in, asking who is signed in, signing out.' },
  { name: 'devices', description: 'Where a person is signed in, and ending it.' },
  { name: 'federation', description: 'Signing in through OpenID providers.' },
  { name: 'password', description: 'Forgotten and changed passwords.' },
  { name: 'token', description: 'Access tokens for the session, and asking about them.' },
  { name: 'admin', description: 'The directory: people, tenants, roles, applications, service keys, audit.' },
  { name: 'metadata', description: 'What a verifier needs to know.' },
]

/** Demanded before any schema is looked at, of every request that changes something and is not by service key. */
function demandHeader({ schema, url, route }) {
  const changes = !['GET', 'HEAD', 'OPTIONS'].includes(String(route.method))
  // A provider calls these.
  if (!changes || !schema?.security || url.startsWith('/v1/federation/')) return { url, schema }
  const callers = schema.security.length === 0 ? [{}] : schema.security
  const byKey = caller => 'serviceKey' in caller || 'serviceKeyAsClient' in caller
  const security = callers.map(caller => (byKey(caller) ? caller : { ...caller, mintmarkHeader: [] }))
  return { url, schema: { ...schema, security } }
}

/** The routes are described without being served: nothing behind them is needed. */
export async function describeApi() {
  const behind = new Proxy({}, { get: () => () => undefined })
  const parts = {
    issuer: 'https://id.example.com',
    product: 'Mintmark',
    theme: {},
    passwordMinLength: 15,
    log: pino({ level: 'silent' }),
    trustedProxies: [],
    refused: behind,
    metrics: behind,
    settled: behind,
    registry: behind,
    ring: behind,
    sessions: behind,
    ownSessions: behind,
    throttle: behind,
    signIn: behind,
    byLink: behind,
    changePassword: behind,
    stepUp: behind,
    exchange: behind,
    admin: behind,
    authorities: behind,
    serviceKeys: behind,
    introspection: behind,
    federation: behind,
    signInMethods: behind,
    providerLogouts: behind,
    health: undefined,
    beforeRoutes: async app => {
      await app.register(swagger, {
        openapi: {
          openapi: '3.1.0',
          info: {
            title: 'Mintmark',
            version: '1',
            description: 'The session row is the truth, a minutes-long ES256 token is its cache.',
            license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
          },
          tags,
          servers: [{ url: 'https://id.example.com', description: 'Your issuer.' }],
          components: {
            securitySchemes: {
              session: { type: 'apiKey', in: 'cookie', name: '__Host-session' },
              serviceKey: { type: 'http', scheme: 'bearer', bearerFormat: 'mintmark_sk_<id>_<secret>' },
              serviceKeyAsClient: {
                type: 'http',
                scheme: 'basic',
                description:
                  'The key’s id is the user name, the whole key the password (`client_secret_basic`).',
              },
              mintmarkHeader: {
                type: 'apiKey',
                in: 'header',
                name: 'X-Mintmark',
                description:
                  'Always `1`. It is no secret: it proves that no form and no simple cross-origin request was sent.',
              },
            },
          },
        },
        transform: demandHeader,
        refResolver: { buildLocalReference: json => String(json.$id) },
      })
    },
  }
  const app = await buildApp(parts)
  await app.ready()
  const document = app.swagger()
  await app.close()
  nameSchemas(document)
  // Many tools still read YAML 1.1, in which a plain `off` is a boolean.
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 110, compat: 'yaml-1.1' })
}

if (process.argv[1] === new URL(import.meta.url).pathname) await writeFile(openapiFile, await describeApi())
