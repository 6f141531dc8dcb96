/** Makes openapi.yaml from the route schemas: `npm run openapi` writes it, the tests compare it. */
import { writeFile } from 'node:fs/promises'
import swagger from '@fastify/swagger'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { buildApp } from '../dist/http/server.js'

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
const mintmarkHeader = required => ({
  type: 'object',
  required: required ? ['X-Mintmark'] : [],
  properties: {
    'X-Mintmark': {
      type: 'string',
      enum: ['1'],
      description: `No form and no simple request can send it.${required ? '' : ' Not needed with a service key.'}`,
    },
  },
})

function describeHeader({ schema, url, route }) {
  const changes = !['GET', 'HEAD', 'OPTIONS'].includes(String(route.method))
  // A provider calls these.
  if (url.startsWith('/v1/federation/')) return { url, schema }
  const byKey =
    schema?.security?.filter(one => 'serviceKey' in one || 'serviceKeyAsClient' in one).length ?? 0
  if (!changes || (byKey > 0 && byKey === schema.security.length)) return { url, schema }
  return { url, schema: { ...schema, headers: mintmarkHeader(byKey === 0) } }
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
            },
          },
        },
        transform: describeHeader,
        refResolver: { buildLocalReference: json => String(json.$id) },
      })
    },
  }
  const app = await buildApp(parts)
  await app.ready()
  const document = app.swagger()
  await app.close()
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 110 })
}

if (process.argv[1] === new URL(import.meta.url).pathname) await writeFile(openapiFile, await describeApi())
