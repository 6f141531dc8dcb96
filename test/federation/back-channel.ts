/** The address of a client to which providers tell that a session is over. */
import { createServer } from 'node:http'
import type { Test } from 'tap'

export async function backChannel(t: Test) {
  const tokens: string[] = []
  const server = createServer(async (request, reply) => {
    let body = ''
    for await (const chunk of request) body += chunk
    tokens.push(new URLSearchParams(body).get('logout_token') ?? '')
    reply.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { tokens, uri: `http://127.0.0.1:${(server.address() as { port: number }).port}/out` }
}
