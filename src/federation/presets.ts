/** What is known of some providers, so that it need not be typed. A preset fills in a declaration and does nothing else. */
import { directoryPlace, type ProviderConfig } from './provider.js'

export type Preset = Partial<ProviderConfig> & Pick<ProviderConfig, 'name' | 'kind' | 'scopes'>

const openid = { kind: 'openid', scopes: ['openid', 'email', 'profile'] } as const

/** Okta, Auth0, Keycloak and most others need none: their issuer is all. */
export const presets = {
  google: {
    ...openid,
    name: 'Google',
    issuer: 'https://accounts.google.com',
    hosts: ['oauth2.googleapis.com', 'www.googleapis.com', 'openidconnect.googleapis.com'],
  },
  /** One directory: give `--issuer https://login.microsoftonline.com/<directory>/v2.0` instead. */
  microsoft: {
    ...openid,
    name: 'Microsoft',
    issuer: `https://login.microsoftonline.com/${directoryPlace}/v2.0`,
    hosts: ['graph.microsoft.com'],
    claims: { email_verified: 'xms_edov' },
  },
  /** OAuth 2.0 without OpenID. For GitHub Enterprise give its address as the issuer. */
  github: {
    name: 'GitHub',
    kind: 'github',
    issuer: 'https://github.com',
    scopes: ['read:user', 'user:email'],
  },
} as const satisfies Record<string, Preset>

export type PresetName = keyof typeof presets

export const plain: Preset = { ...openid, name: '' }
