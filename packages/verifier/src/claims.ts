/** Owns what an access token must say (RFC 9068): its claims, whom it is from and for, and when it counts. */
import { readRev } from './handles.js'
import type { TokenClaims } from './principal.js'
import { type Refused, refused } from './refusal.js'
import type { JsonObject } from './strict-json.js'

/** Seconds by which the clocks of issuer and verifier may differ. */
export const leeway = 30
/** Seconds. No token of this issuer lives longer. */
export const longestLifetime = 900

export type ClaimsFault = 'claims' | 'issuer' | 'audience' | 'lifetime'

type TokenTenant = Pick<TokenClaims, 'roles' | 'permissions'> & { readonly tenant: string }

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 255
const areTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText)
export const isTime = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0

/** For this audience, and no other. */
export function readClaimsFor(
  claims: JsonObject,
  issuer: string,
  audience: string,
): TokenClaims | Refused<ClaimsFault> {
  const read = readClaims(claims, issuer)
  return 'code' in read || read.audience === audience ? read : refused('audience')
}

/** Claims that are not known here are passed over: a later release of the issuer may add some. */
export function readClaims(
  claims: JsonObject,
  issuer: string,
): TokenClaims | Refused<Exclude<ClaimsFault, 'audience'>> {
  const { iss, aud, sub, sid, client_id, jti, acr, amr, auth_time, iat, exp, nbf } = claims
  const { tenant, roles, permissions } = claims
  const rev = claims.rev === undefined ? undefined : readRev(claims.rev)
  if (!isText(iss) || !isText(aud) || !isText(sub) || !isText(sid) || !isText(client_id) || !isText(jti))
    return refused('claims')
  if (!isText(acr) || !areTexts(amr) || !isTime(iat) || !isTime(exp)) return refused('claims')
  // RFC 9068, section 2.2.1: optional. A provider's word may count for who somebody is, and not for when they proved it.
  if (auth_time !== undefined && !isTime(auth_time)) return refused('claims')
  if (claims.rev !== undefined && !rev) return refused('claims')
  // Never minted, so nothing here would obey it.
  if (nbf !== undefined) return refused('claims')
  if (iss !== issuer) return refused('issuer')
  if (exp <= iat || exp - iat > longestLifetime) return refused('lifetime')
  if (auth_time !== undefined && auth_time > iat + leeway) return refused('lifetime')
  const inNone = tenant === undefined && roles === undefined && permissions === undefined
  if (!inNone && !(isText(tenant) && areTexts(roles) && areTexts(permissions))) return refused('claims')
  return {
    sub,
    sid,
    clientId: client_id,
    issuer: iss,
    audience: aud,
    ...(inNone ? { roles: [], permissions: [] } : ({ tenant, roles, permissions } as TokenTenant)),
    acr,
    amr,
    ...(auth_time !== undefined && { authTime: auth_time }),
    issuedAt: iat,
    expiresAt: exp,
    jti,
    ...(rev && { rev }),
  }
}

/** `now` in seconds. */
export function judgeTime(
  { issuedAt, expiresAt }: TokenClaims,
  now: number,
): Refused<'not_yet_valid' | 'expired'> | undefined {
  if (issuedAt > now + leeway) return refused('not_yet_valid')
  if (expiresAt + leeway <= now) return refused('expired')
  return undefined
}
