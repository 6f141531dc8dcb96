/** Reads an access token of ours back with the verifier's own reader: what a service refuses is refused here, too. */
import {
  type ClaimsFault,
  type CompactFault,
  type CompactJws,
  readClaims,
  readCompact,
  strictObject,
  type TokenClaims,
} from '@mintmark/verifier/readers'
import type { ClientId, Kid, SessionId, TenantId } from '../core/principal.js'

/** In the forms that the primary is asked with. */
export interface Claims extends TokenClaims {
  readonly clientId: ClientId
  readonly sid: SessionId
  readonly tenant?: TenantId
}

/** What a token says; nothing of it counts before its signature was verified. */
export interface ReadToken {
  readonly kid: Kid
  readonly claims: Claims
  readonly jws: CompactJws
}

export type Unreadable = Hyphenated<CompactFault | 'payload' | Exclude<ClaimsFault, 'audience'>>
/** The words of the log are older than those of the verifier. */
type Hyphenated<Code extends string> = Code extends `${infer Head}_${infer Tail}` ? `${Head}-${Tail}` : Code

export function readToken(token: string, issuer: string): ReadToken | { readonly unreadable: Unreadable } {
  const jws = readCompact(token, 'at+jwt')
  if ('code' in jws) return { unreadable: hyphenated(jws.code) }
  const payload = strictObject(jws.payload)
  if (!payload) return { unreadable: 'payload' }
  const claims = readClaims(payload, issuer)
  if ('code' in claims) return { unreadable: claims.code }
  return isAskable(claims) ? { kid: jws.kid as Kid, claims, jws } : { unreadable: 'claims' }
}

const hyphenated = <Code extends string>(code: Code) => code.replace('_', '-') as Hyphenated<Code>

/** The signature is verified after the primary was asked, with what a stranger wrote: nothing else may reach it. */
function isAskable(claims: TokenClaims): claims is Claims {
  const { sid, clientId, tenant } = claims
  return (
    /^[A-Za-z0-9_-]{21}[AQgw]$/.test(sid) &&
    /^[a-z0-9][a-z0-9._-]{1,63}$/.test(clientId) &&
    (tenant === undefined || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(tenant))
  )
}
