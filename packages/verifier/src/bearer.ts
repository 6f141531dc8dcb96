/** Owns the two ends of a request: where its token stands (RFC 6750), and how it is refused (RFC 6750, 9470, 9457). */
import type { Principal } from './principal.js'
import { type Refused, refused } from './refusal.js'
import type { Requirement } from './requirements.js'
import type { Gate } from './verifier.js'

/** To be sent as it is. It tells a caller what to do, and not what was wrong with a token: that is for your log. */
export interface RefusalAnswer {
  readonly status: 400 | 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Authenticated = { readonly ok: true; readonly principal: Principal } | Refused

/** `authorization` holds every header of that name. A token in an address or a form is not looked for. */
export async function authenticate(
  gate: Gate,
  authorization: readonly string[],
  requirements: readonly Requirement[] = [],
): Promise<Authenticated> {
  if (authorization.length > 1) return refused('several_tokens')
  const header = authorization[0] ?? ''
  if (!/^bearer(?: |$)/i.test(header)) return refused('no_token')
  const verdict = await gate.verify(header.slice('Bearer '.length))
  return verdict.ok ? gate.check(verdict.principal, ...requirements) : verdict
}

const titles: Readonly<Record<RefusalAnswer['status'], string>> = {
  400: 'The request is not valid.',
  401: 'This request needs a valid access token.',
  403: 'You don’t have permission to do this.',
  503: 'The access token cannot be checked at the moment. Try again shortly.',
}

export function answerTo(refusal: Refused): RefusalAnswer {
  const [status, code, challenge] = described(refusal)
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  }
  if (challenge !== undefined) headers['www-authenticate'] = challenge
  if (status === 503) headers['retry-after'] = String(refusal.retryAfterSeconds ?? 5)
  const { maxAge: max_age, acr } = refusal
  const asked = { ...(max_age !== undefined && { max_age }), ...(acr !== undefined && { acr_values: acr }) }
  return { status, headers, body: JSON.stringify({ status, title: titles[status], code, ...asked }) }
}

type Described = [status: RefusalAnswer['status'], code: string, challenge?: string]

function described({ code, permission, acr, maxAge }: Refused): Described {
  switch (code) {
    case 'no_token':
      // RFC 6750, section 3.1: who sent no token is told no error.
      return [401, 'no_token', 'Bearer']
    case 'several_tokens':
      return [400, 'invalid_request', 'Bearer error="invalid_request"']
    case 'insufficient_scope':
      return [403, code, challenge({ error: code, scope: permission })]
    case 'insufficient_user_authentication':
      return [401, code, challenge({ error: code, acr_values: acr, max_age: maxAge })]
    case 'stale_token':
      return [401, code, 'Bearer error="invalid_token"']
    case 'revocation_unknown':
      return [503, code]
    case 'keys_unavailable':
    case 'introspection_unavailable':
    case 'service_key_refused':
      return [503, 'unavailable']
    default:
      return [401, 'invalid_token', 'Bearer error="invalid_token"']
  }
}

/** What does not fit into a quoted text as it is (RFC 6750, section 3) is left out. */
function challenge(parameters: Record<string, string | number | undefined>): string {
  const fitting = Object.entries(parameters).filter(
    ([, value]) => value !== undefined && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(String(value)),
  )
  return `Bearer ${fitting.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
