/** Owns the adapter for handlers from Request to Response: Hono, Workers, Deno, Bun. */
import { answerTo, authenticate as judge } from './bearer.js'
import type { Principal } from './principal.js'
import type { Refused } from './refusal.js'
import type { Requirement } from './requirements.js'
import type { Gate } from './verifier.js'

export type Authenticated =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly response: Response }

/** For a middleware: go on with the principal, or answer with the response. */
export async function authenticate(
  gate: Gate,
  request: Request,
  ...requirements: readonly Requirement[]
): Promise<Authenticated> {
  // Two headers of one name arrive as one, joined by a comma.
  const sent = request.headers.get('authorization')?.split(/, *(?=bearer )/i)
  const answer = await judge(gate, sent ?? [], requirements)
  return answer.ok ? answer : { ok: false, response: refusal(answer) }
}

/** A whole handler: `export default { fetch: protect(verifier, async (request, principal) => new Response()) }`. */
export function protect<Rest extends readonly unknown[]>(
  gate: Gate,
  handler: (request: Request, principal: Principal, ...rest: Rest) => Response | Promise<Response>,
  ...requirements: readonly Requirement[]
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    const answer = await authenticate(gate, request, ...requirements)
    return answer.ok ? handler(request, answer.principal, ...rest) : answer.response
  }
}

export function refusal(refused: Refused): Response {
  const { status, headers, body } = answerTo(refused)
  return new Response(body, { status, headers })
}
