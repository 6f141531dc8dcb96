/** A provider as operators see it, and why nothing was stored of one. */
import { CommandFailed } from '../core/errors.js'
import { logoutAddress, type Provider, redirectAddress } from '../federation/provider.js'
import { cell, details, time } from './table.js'

export const noProvider = (id: string) => ({
  unknown: `there is no provider ${id}: run \`mintmark providers list\` to see all`,
})

export function doesNotWork(id: string, why: string): CommandFailed {
  return new CommandFailed(
    `the provider ${id} cannot be used (${why}): check that it is running, that its configuration matches its discovery document, and that MINTMARK_KEYS_FOLDER is the same as the service's`,
  )
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
    'accepted for step-up': countsAsProof ? 'yes' : 'no',
    aal2: cell(aal2),
    created: time(createdAt),
  })
}
