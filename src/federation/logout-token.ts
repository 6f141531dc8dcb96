/** A provider's logout token: OpenID Connect Back-Channel Logout 1.0, section 2.6. */
import { errors, jwtVerify } from 'jose'
import { ProviderUnavailable } from './bounded-fetch.js'
import { expectedIssuer, leewaySeconds } from './id-token.js'
import type { Connection } from './metadata.js'
import { subjectOf, text } from './profile.js'
import type { Provider } from './provider.js'
import type { ProviderLogout } from './store.js'

const event = 'http://schemas.openid.net/event/backchannel-logout'
/** Seconds: the specification recommends two minutes of life at most. One is read for this long after it was issued. */
const mostAgeSeconds = 600

export type JudgedLogout = { readonly logout: ProviderLogout } | { readonly refused: string }

/** `now` is the database's clock. Throws `ProviderUnavailable` where the keys cannot be had. */
export async function judgeLogoutToken(
  provider: Provider,
  { keys, algorithms }: Connection,
  token: string,
  now: number,
): Promise<JudgedLogout> {
  if (!keys) return { refused: 'this provider has no keys' }
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      algorithms,
      audience: provider.clientId,
      currentDate: new Date(now * 1000),
      clockTolerance: leewaySeconds,
      requiredClaims: ['iss', 'aud', 'iat', 'exp', 'jti', 'events'],
    })
    const { iss, iat = 0, jti, sub, sid, nonce, events } = payload
    const { typ } = protectedHeader
    if (typ !== undefined && !/^(application\/)?logout\+jwt$|^JWT$/i.test(typ)) return { refused: 'typ' }
    const issuer = expectedIssuer(provider, payload)
    if (issuer === undefined || iss !== issuer) return { refused: 'iss' }
    if (nonce !== undefined) return { refused: 'it has a nonce, so it is an ID token' }
    if (!isEvent(events)) return { refused: 'events' }
    if (now - iat > mostAgeSeconds || iat > now + leewaySeconds) return { refused: 'iat' }
    if (text(jti, 255) === undefined) return { refused: 'jti' }
    const subject = sub === undefined ? undefined : subjectOf(sub)
    if (sub !== undefined && subject === undefined) return { refused: 'sub' }
    const session = text(sid, 255)
    if (sid !== undefined && session === undefined) return { refused: 'sid' }
    if (subject === undefined && session === undefined)
      return { refused: 'it has neither a subject nor a session' }
    return {
      logout: { provider: provider.id, issuer, jti: jti as string, subject, sid: session, issuedAt: iat },
    }
  } catch (error) {
    if (error instanceof ProviderUnavailable) throw error
    if (error instanceof errors.JOSEError) return { refused: error.code }
    throw error
  }
}

function isEvent(events: unknown): boolean {
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, event)) return false
  const member = (events as Record<string, unknown>)[event]
  return typeof member === 'object' && member !== null && !Array.isArray(member)
}
