/** Owns the question to the issuer whether a token counts at this moment (RFC 7662). */
import { readClaimsFor } from './claims.js'
import { exchange, type Means } from './exchange.js'
import type { Principal } from './principal.js'
import { type Refused, refused } from './refusal.js'
import { strictObject } from './strict-json.js'

export type FreshRefusal = 'inactive' | 'introspection_unavailable' | 'service_key_refused'

/** Small: 64 KB of roles is somebody else's answer. */
const mostBytes = 65_536
/** Seconds after which to ask again. */
const pause = 5

/** `principal` is what the token says; the answer is about the same token, with today's roles and permissions. */
export async function introspect(
  token: string,
  principal: Principal,
  endpoint: URL | undefined,
  serviceKey: string,
  means: Means,
): Promise<Principal | Refused<FreshRefusal>> {
  const unavailable = refused('introspection_unavailable', { retryAfterSeconds: pause })
  if (!endpoint) return unavailable
  const form = { fields: { token }, bearer: serviceKey }
  const answer = await exchange({ url: endpoint, accept: 'application/json', mostBytes, form }, means)
  if ('failed' in answer)
    return answer.status === 401 || answer.status === 403 ? refused('service_key_refused') : unavailable
  const said = strictObject(answer.bytes)
  if (said?.active === false) return refused('inactive')
  const { issuer, audience } = principal
  const claims = said?.active === true ? readClaimsFor(said, issuer, audience) : undefined
  if (
    !claims ||
    'code' in claims ||
    claims.jti !== principal.jti ||
    claims.sub !== principal.sub ||
    claims.sid !== principal.sid
  )
    return unavailable
  return { ...claims, valid: 'now' }
}
