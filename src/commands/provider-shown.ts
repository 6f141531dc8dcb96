/** A provider as operators see it: in words, as a document, and whether it answers. */
import type { Config } from '../boot/config.js'
import { boundedFetch, ProviderUnavailable } from '../federation/bounded-fetch.js'
import { clientSecretOf } from '../federation/connection.js'
import { connect } from '../federation/metadata.js'
import {
  logoutAddress,
  type Provider,
  type ProviderWithSecret,
  redirectAddress,
} from '../federation/provider.js'
import { CommandFailed, keyEncryptionKeys } from './context.js'
import { cell, details, time } from './table.js'

export function existing<T>(id: string, provider: T | 'unknown' | undefined): Exclude<T, 'unknown'> {
  if (provider === undefined || provider === 'unknown')
    throw new CommandFailed(`there is no provider ${id}: \`mintmark providers list\` has them`)
  return provider as Exclude<T, 'unknown'>
}

/** Throws `ProviderUnavailable`. */
export async function storedSecret(config: Config, provider: ProviderWithSecret): Promise<string> {
  return clientSecretOf({ issuer: config.issuer, keks: await keyEncryptionKeys(config) }, provider)
}

/** Asked as the service asks. */
export async function reachable(provider: Provider, secret: () => string | Promise<string>): Promise<void> {
  try {
    const { config } = await connect(provider, await secret())
    const { jwks_uri: keysAt } = config.serverMetadata()
    if (keysAt !== undefined) await readKeys(provider, keysAt)
  } catch (error) {
    if (error instanceof ProviderUnavailable)
      throw new CommandFailed(
        `the provider ${provider.id} does not work (${error.message}): look whether it runs, whether what was declared is as its document says, and whether MINTMARK_KEYS_FOLDER is the service's`,
      )
    throw error
  }
}

async function readKeys(provider: Provider, keysAt: string): Promise<void> {
  const answer = await boundedFetch(provider)(keysAt, { headers: { accept: 'application/json' } })
  const set = (await answer.json().catch(() => undefined)) as { keys?: unknown } | null | undefined
  if (answer.status !== 200 || !Array.isArray(set?.keys))
    throw new ProviderUnavailable(`its keys were answered with ${answer.status}, and are no key set`)
}

export function shown(issuer: string, provider: Provider): string[] {
  const { id, name, kind, state, clientId, scopes, hosts, directories, createdAt } = provider
  const { signUp, signUpDomains, authoritativeFor, claims, grants, countsAsProof, aal2 } = provider
  const map = Object.entries(claims).map(([member, claim]) => `${member} from ${claim}`)
  return details({
    id,
    name,
    state,
    kind: kind === 'github' ? 'GitHub (OAuth 2.0 without OpenID)' : 'OpenID',
    issuer: provider.issuer,
    'client id': clientId,
    'redirect URI': redirectAddress(issuer, id),
    'logout URI': kind === 'github' ? '-' : logoutAddress(issuer, id),
    scopes: cell(scopes),
    'other hosts': cell(hosts),
    directories: cell(directories),
    'sign-up': signUp === 'domains' ? cell(signUpDomains) : signUp,
    'authoritative for': cell(authoritativeFor),
    claims: cell(map),
    grants: cell(grants.map(({ claim, value, tenant, role }) => `${claim}=${value}: ${role} in ${tenant}`)),
    'counts as proof': countsAsProof ? 'yes' : 'no',
    aal2: cell(aal2),
    created: time(createdAt),
  })
}

/** Never with its secret. */
export function describeProvider(issuer: string, provider: Provider) {
  return {
    id: provider.id,
    name: provider.name,
    kind: provider.kind,
    state: provider.state,
    issuer: provider.issuer,
    client_id: provider.clientId,
    redirect_uri: redirectAddress(issuer, provider.id),
    logout_uri: provider.kind === 'github' ? null : logoutAddress(issuer, provider.id),
    scopes: provider.scopes,
    hosts: provider.hosts,
    directories: provider.directories,
    sign_up: provider.signUp,
    sign_up_domains: provider.signUpDomains,
    authoritative_for: provider.authoritativeFor,
    claims: provider.claims,
    grants: provider.grants,
    counts_as_proof: provider.countsAsProof,
    aal2: provider.aal2,
    created_at: Math.floor(provider.createdAt),
  }
}
