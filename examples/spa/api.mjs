// The downstream API: it knows the issuer's address and its own audience, and never sees a cookie.
import { createServer } from 'node:http'
import { createVerifier } from '@mintmark/verifier'
import { protect } from '@mintmark/verifier/node'

export function createApi({ issuer, audience, appOrigin }) {
  // It follows the feed: a session that has ended opens nothing here, a second later.
  const verifier = createVerifier({ issuer, audience })

  const routes = {
    '/hello': protect(verifier, (_request, response, principal) => {
      const { sub, tenant = null, roles = [], permissions = [], issuedAt, expiresAt } = principal
      const minted = new Date(issuedAt * 1000).toISOString()
      const lives = `${expiresAt - issuedAt} s`
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ hello: sub, tenant, roles, permissions, minted, lives }))
    }),

    // An open stream outlives its token. It ends with the session, or with whatever else the token rests on.
    '/events': protect(verifier, (_request, response, principal) => {
      const closed = new AbortController()
      response.on('close', () => closed.abort())
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const tick = setInterval(() => response.write(`data: ${new Date().toISOString()}\n\n`), 1000)
      closed.signal.addEventListener('abort', () => clearInterval(tick))
      const revoked = verifier.signal(principal, closed.signal)
      const end = () => response.end(`event: revoked\ndata: ${revoked.reason.code}\n\n`)
      if (revoked.aborted) end()
      else revoked.addEventListener('abort', end)
    }),
  }

  const server = createServer((request, response) => {
    response.setHeader('access-control-allow-origin', appOrigin)
    response.setHeader('access-control-allow-headers', 'authorization')
    // So that the page can tell a token that is too old from another refusal.
    response.setHeader('access-control-expose-headers', 'www-authenticate')
    response.setHeader('vary', 'origin')
    if (request.method === 'OPTIONS') return response.writeHead(204).end()
    const route = routes[request.url]
    return route ? route(request, response) : response.writeHead(404).end()
  })
  server.on('close', verifier.close)
  return server
}
