/** Owns the adapter for plain node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { authorizations } from './authorizations.js'
import { answerTo, authenticate } from './bearer.js'
import type { Principal } from './principal.js'
import type { Refused } from './refusal.js'
import type { Requirement } from './requirements.js'
import type { Gate } from './verifier.js'

/** A request listener: `createServer(protect(verifier, (request, response, principal) => { … }))`. */
export function protect<Request extends IncomingMessage, Response extends ServerResponse>(
  gate: Gate,
  handler: (request: Request, response: Response, principal: Principal) => unknown,
  ...requirements: readonly Requirement[]
): (request: Request, response: Response) => Promise<void> {
  return async (request, response) => {
    const answer = await authenticate(gate, authorizations(request), requirements)
    if (answer.ok) await handler(request, response, answer.principal)
    else refuse(response, answer)
  }
}

export function refuse(response: ServerResponse, refusal: Refused): void {
  const { status, headers, body } = answerTo(refusal)
  response.writeHead(status, headers).end(body)
}
