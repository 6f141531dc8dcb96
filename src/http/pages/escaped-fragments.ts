/** Mailed links whose `#` a mail program has escaped: the browser is led to the link as it was sent. */
import type { FastifyInstance } from 'fastify'

const link =
  /^(\/sign-up\/verify|\/password\/reset|\/invitations\/accept)(\?[!-"$-~]*?)?%23token(?:=|%3d)([\w-]+)$/i

/** The server has seen the token by then; no log of ours has it, and it leaves the address bar at once. */
export function restoreFragments(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    const [, page, query = '', token] = (request.method === 'GET' && link.exec(request.url)) || []
    if (page !== undefined) return reply.redirect(`${page.toLowerCase()}${query}#token=${token}`, 303)
  })
}
