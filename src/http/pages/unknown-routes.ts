/** An address where nothing is, or that does not take the method: a page for a user, a problem document for a program. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../middleware/problem.js'
import { answer } from '../middleware/problems.js'
import type { Look } from './layout.js'
import { answerPage } from './refused.js'

export function answerUnknownRoutes(app: FastifyInstance, look: Look): void {
  const answerUnknown = (request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allowed = app.supportedMethods.filter(
      method => method !== 'OPTIONS' && app.findRoute({ url: path, method }),
    )
    if (allowed.length > 0) reply.header('allow', allowed.join(', '))
    const problem = new Problem(allowed.length > 0 ? 'method_not_allowed' : 'not_found')
    if (isNavigation(request)) return answerPage(look, problem, request, reply)
    return answer(problem, request, reply)
  }
  app.setNotFoundHandler(answerUnknown)
  // Before the body is looked at: what its type is matters to nobody where nothing takes it.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return answerUnknown(request, reply)
  })
}

/** Browsers ask for HTML when they navigate, and scripts do not unless they are told to. */
function isNavigation({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.toLowerCase().includes('text/html')
}
