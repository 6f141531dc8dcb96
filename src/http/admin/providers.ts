/** Admin: manage the identity providers that users can sign in with. A client secret is taken, and never shown. */
import { type Static, Type } from 'typebox'
import type { TenantId } from '../../core/principal.js'
import { type PresetName, plain, presets } from '../../federation/presets.js'
import { withDefaults } from '../../federation/provider.js'
import { describeProvider, type Providers } from '../../federation/providers.js'
import { adminActor } from '../middleware/admin-context.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import { Body, Ended, Id, Instant } from '../shapes/schemas.js'
import { accepted, found, operation, over } from './shapes.js'

const reads = over('providers:read')
const writes = over('providers:write')
const Words = Type.Array(Type.String({ maxLength: 300 }), { maxItems: 100, uniqueItems: true })
/** What is written to a provider as it is. */
const Visible = (maxLength: number) => Type.String({ pattern: '^[\\x21-\\x7e]+$', maxLength })
const ProviderId = Type.String({ pattern: '^[a-z0-9](-?[a-z0-9]){0,31}$', maxLength: 32 })
const ProviderPath = Type.Object({ provider: ProviderId })
const Grant = Type.Object(
  {
    claim: Visible(200),
    value: Type.String({ maxLength: 200 }),
    tenant: Id,
    role: Type.String({ maxLength: 64, description: 'The id of a role of the tenant.' }),
  },
  { title: 'ProviderGrant', additionalProperties: false },
)
const Claims = Type.Object(
  {
    name: Type.Optional(Visible(200)),
    email_verified: Type.Optional(Visible(200)),
  },
  {
    title: 'ProviderClaims',
    additionalProperties: false,
    description: 'Claims to read instead of the usual ones.',
  },
)
/** What of a provider is declared, and may be changed; each as the command's option of that name. */
const configMembers = {
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
  issuer: Type.Optional(Type.String({ pattern: '^https?://[A-Za-z0-9_.~:/{}-]+$', maxLength: 500 })),
  client_id: Type.Optional(Visible(200)),
  client_secret: Type.Optional(Type.String({ pattern: '^[\\x20-\\x7e]{1,1000}$' })),
  scopes: Type.Optional(Words),
  hosts: Type.Optional(Words),
  directories: Type.Optional(Words),
  sign_up: Type.Optional(
    Type.Union(
      (['open', 'domains', 'invitation', 'off'] as const).map(one => Type.Literal(one)),
      { title: 'SignUpPolicy' },
    ),
  ),
  sign_up_domains: Type.Optional(Words),
  authoritative_for: Type.Optional(Words),
  claims: Type.Optional(Claims),
  grants: Type.Optional(Type.Array(Grant, { maxItems: 100 })),
  counts_as_proof: Type.Optional(Type.Boolean()),
  aal2: Type.Optional(Words),
}
const ProviderConfigBody = Body(configMembers)
const ProviderObject = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    kind: Type.String({ description: '`openid` or `github`.' }),
    state: Type.String({ description: '`enabled` or `disabled`.' }),
    issuer: Type.String(),
    client_id: Type.String(),
    redirect_uri: Type.String({ description: 'The redirect URI to register at the provider.' }),
    logout_uri: Type.Union([Type.String(), Type.Null()]),
    scopes: Type.Array(Type.String()),
    hosts: Type.Array(Type.String()),
    directories: Type.Array(Type.String()),
    sign_up: Type.String(),
    sign_up_domains: Type.Array(Type.String()),
    authoritative_for: Type.Array(Type.String()),
    claims: Claims,
    grants: Type.Array(Grant),
    counts_as_proof: Type.Boolean(),
    aal2: Type.Array(Type.String()),
    created_at: Instant,
  },
  { title: 'Provider', description: 'A provider.' },
)
const EndSessions = Type.Object(
  {
    end_sessions: Type.Optional(
      Type.Literal('true', { description: 'Also end the sessions that were created through it.' }),
    ),
  },
  { additionalProperties: false },
)

export function providerRoutes(app: App, providers: Providers, issuer: string): void {
  const describe = (provider: Parameters<typeof describeProvider>[1]) => describeProvider(issuer, provider)
  app.get(
    '/v1/admin/providers',
    operation(reads, 'listProvidersAsAdmin', {
      summary: 'List the providers with their configuration',
      answers: {
        200: Type.Object(
          { items: Type.Array(ProviderObject) },
          { title: 'ProviderList', description: 'All providers, sorted by id.' },
        ),
      },
    }),
    async () => ({ items: (await providers.list()).map(describe) }),
  )

  app.post(
    '/v1/admin/providers',
    operation(writes, 'createProvider', {
      summary:
        'Add a provider that users can sign in with; its discovery document is read before it is stored',
      body: Body({
        id: ProviderId,
        preset: Type.Optional(
          Type.Union(
            (Object.keys(presets) as PresetName[]).map(name => Type.Literal(name)),
            { title: 'ProviderPreset' },
          ),
        ),
        ...configMembers,
        client_id: Visible(200),
        client_secret: Type.String({ pattern: '^[\\x20-\\x7e]{1,1000}$' }),
      }),
      answers: { 201: ProviderObject },
      refuses: ['name_taken', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const { id, preset, client_secret, ...given } = request.body
      const config = withDefaults(id, preset === undefined ? plain : presets[preset], changeOf(given))
      const made = accepted(await providers.create(config, client_secret, adminActor(request)))
      return reply.code(201).send(describe(made))
    },
  )

  app.get(
    '/v1/admin/providers/:provider',
    operation(reads, 'readProvider', {
      summary: 'Get a provider',
      params: ProviderPath,
      answers: { 200: ProviderObject },
      refuses: ['not_found'],
    }),
    async ({ params }) => describe(found(await providers.read(params.provider))),
  )

  app.patch(
    '/v1/admin/providers/:provider',
    operation(writes, 'changeProvider', {
      revokes: 'always',
      summary: 'Change, disable or enable a provider; a list in the request replaces the current one',
      params: ProviderPath,
      querystring: EndSessions,
      body: Body({
        ...configMembers,
        state: Type.Optional(Type.Union([Type.Literal('enabled'), Type.Literal('disabled')])),
      }),
      answers: { 200: ProviderObject },
      refuses: ['not_found', 'name_taken'],
    }),
    async request => {
      const { provider: id } = request.params
      const { client_secret: secret, state, ...given } = request.body
      const to = changeOf(given)
      if (secret !== undefined || Object.keys(to).length > 0) {
        const changed = accepted(await providers.change(id, to, secret, adminActor(request)))
        if (changed === 'linked') throw new Problem('invalid_request', { detail: linked })
        if (state === undefined) return describe(changed)
      }
      if (state === undefined) return describe(found(await providers.read(id)))
      const ends = request.query.end_sessions === 'true'
      return describe(accepted(await providers.turn(id, state, ends, adminActor(request))).provider)
    },
  )

  app.delete(
    '/v1/admin/providers/:provider',
    operation(writes, 'deleteProvider', {
      revokes: 'always',
      summary: 'Delete a provider and every link to it',
      params: ProviderPath,
      querystring: EndSessions,
      answers: { 200: Ended('The provider is deleted.') },
      refuses: ['not_found'],
    }),
    async request => {
      const ends = request.query.end_sessions === 'true'
      const { ended } = accepted(await providers.remove(request.params.provider, ends, adminActor(request)))
      return ended === undefined ? {} : { ended }
    },
  )

  app.post(
    '/v1/admin/providers/:provider/check',
    operation(writes, 'checkProvider', {
      summary: 'Check a provider: read its discovery document and keys as a sign-in would',
      params: ProviderPath,
      answers: {
        200: Type.Object(
          { ok: Type.Boolean(), reason: Type.Union([Type.String(), Type.Null()]) },
          { title: 'ProviderCheck', description: 'Whether the provider matches its configuration.' },
        ),
      },
      refuses: ['not_found'],
    }),
    async request => {
      const answer = await providers.check(request.params.provider, adminActor(request))
      if (answer === 'unknown') throw new Problem('not_found')
      return answer === 'answers' ? { ok: true, reason: null } : { ok: false, reason: answer.unreachable }
    },
  )
}

const linked =
  'Users are linked by their subject at the current issuer, so the issuer cannot change. Add the other issuer as a new provider.'

/** Only what was given, in the words of the domain. */
function changeOf(given: Omit<Static<typeof ProviderConfigBody>, 'client_secret'>) {
  const { client_id, sign_up, sign_up_domains, authoritative_for, counts_as_proof, grants, ...same } = given
  return {
    ...same,
    ...(client_id !== undefined && { clientId: client_id }),
    ...(sign_up !== undefined && { signUp: sign_up }),
    ...(sign_up_domains && { signUpDomains: sign_up_domains }),
    ...(authoritative_for && { authoritativeFor: authoritative_for }),
    ...(counts_as_proof !== undefined && { countsAsProof: counts_as_proof }),
    ...(grants && { grants: grants.map(grant => ({ ...grant, tenant: grant.tenant as TenantId })) }),
  }
}
