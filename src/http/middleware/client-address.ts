/** The network address of the client: the peer's, or what a trusted proxy says of it; and a warning where it says nothing. */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import { readAddress, type Trusts } from '../../core/network-address.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** In its canonical form: it is what attempts are counted by, and what sessions and audit rows are shown with. */
    readonly clientAddress: string
  }
}

const warning =
  'a trusted proxy sends no readable client address, so all clients behind it share one limit: set X-Forwarded-For to an address, with or without a port'

/** Each way of naming no address is said once: from then on it is in every request. */
export function readClientAddresses(app: FastifyInstance, trusts: Trusts, log: FastifyBaseLogger): void {
  const said = new Set<string>()
  app.decorateRequest('clientAddress', {
    getter(this: FastifyRequest) {
      // The peer first, then who stood before it, as far as trust goes.
      const hops = this.ips ?? [this.ip]
      const client = hops.length > 1 || !trusts(this.ip) ? readAddress(hops.at(-1)) : undefined
      if (client !== undefined) return client
      const nearest = hops.map(readAddress).findLast(hop => hop !== undefined)
      const named = hops.length > 1 ? 'unreadable' : 'none'
      if (trusts(hops[0]) && !said.has(named)) {
        said.add(named)
        log.warn({ proxy: nearest, named }, warning)
      }
      return nearest ?? ''
    },
  })
}
