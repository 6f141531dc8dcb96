/** Makes openapi.yaml from the route schemas: `npm run openapi` writes it, the tests compare it. */
import { writeFile } from 'node:fs/promises'
import swagger from '@fastify/swagger'
import { stringify } from 'yaml'
import { buildApp } from '../dist/http/server.js'
import { unservedParts } from '../test/support/unserved.mjs'
import { nameSchemas } from './openapi-schemas.mjs'

export const openapiFile = new URL('../openapi.yaml', import.meta.url)

const tags = [
  { name: 'sign-up', description: 'Create an account.' },
  { name: 'session', description: 'Sign in, read the current session, sign out.' },
  { name: 'devices', description: 'List and end the sessions of the signed-in user.' },
  { name: 'federation', description: 'Sign in with OpenID providers.' },
  { name: 'password', description: 'Reset and change passwords.' },
  { name: 'token', description: 'Mint and introspect access tokens.' },
  {
    name: 'admin',
    description:
      'Administer users, tenants, roles, applications, providers, service keys and signing keys, and read the audit log.',
  },
  { name: 'metadata', description: 'Keys and metadata for verifiers.' },
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

export async function describeApi() {
  const parts = unservedParts('https://id.example.com', async app => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Mintmark',
          version: '1',
          description:
            'An identity microservice: the session decides, and a short-lived ES256 token is its cache.',
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
                'The id of the key is the user name, and the whole key is the password (`client_secret_basic`).',
            },
            mintmarkHeader: {
              type: 'apiKey',
              in: 'header',
              name: 'X-Mintmark',
              description:
                'Always `1`. It is not a secret. It shows that the request comes neither from a form nor from a simple cross-origin request.',
            },
          },
        },
      },
      transform: demandHeader,
      refResolver: { buildLocalReference: json => String(json.$id) },
    })
  })
  const app = await buildApp(parts)
  await app.ready()
  const document = app.swagger()
  await app.close()
  nameSchemas(document)
  // Many tools still read YAML 1.1, in which a plain `off` is a boolean.
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 110, compat: 'yaml-1.1' })
}

if (process.argv[1] === new URL(import.meta.url).pathname) await writeFile(openapiFile, await describeApi())
