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
  { name: 'factors', description: 'Manage the second factors of the signed-in user.' },
  { name: 'passkeys', description: 'Register passkeys, and sign in and step up with them.' },
  { name: 'federation', description: 'Sign in with OpenID providers.' },
  { name: 'password', description: 'Reset and change passwords.' },
  { name: 'token', description: 'Mint and introspect access tokens.' },
  { name: 'feed', description: 'Follow revocations.' },
  {
    name: 'admin',
    description:
      'Administer users, tenants, roles, applications, providers, service keys and signing keys, and read the audit log.',
  },
  { name: 'metadata', description: 'Keys and metadata for verifiers.' },
]

const prefer = {
  type: 'string',
  description:
    '`wait=2` (RFC 7240): answer when every verifier that reports has applied the revocation, or after 2 seconds. At most 10.',
}
const idempotencyKey = {
  type: 'string',
  pattern: '^[!-~]{1,100}$',
  description:
    'A repeated request with the same key gets the first answer, and creates nothing. Kept for a day.',
}
const preferenceApplied = {
  type: 'string',
  enum: ['wait'],
  description: 'The answer waited for verifiers, as `Prefer` asked.',
}

/** Headers that a route may be given, and that no schema checks. */
function optionalHeaders(schema, { config }) {
  const properties = {}
  const isRepeatable = String(schema.response?.[409]?.description).includes('`idempotency_conflict`')
  if (isRepeatable) properties['Idempotency-Key'] = idempotencyKey
  if (!config?.needs || !config.revokes) return { properties, response: schema.response }
  properties.Prefer = prefer
  const response = Object.entries(schema.response).map(([status, answer]) =>
    answer.headers?.['Mintmark-Revocation']
      ? [status, { ...answer, headers: { ...answer.headers, 'Preference-Applied': preferenceApplied } }]
      : [status, answer],
  )
  return { properties, response: Object.fromEntries(response) }
}

function describeHeaders({ schema, url, route }) {
  const described = demandHeader({ schema, url, route })
  if (!schema?.response) return described
  const { properties, response } = optionalHeaders(schema, route)
  if (Object.keys(properties).length === 0) return described
  return { url, schema: { ...described.schema, response, headers: { type: 'object', properties } } }
}

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
      transform: describeHeaders,
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
