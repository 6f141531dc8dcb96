/** Owns the reading of Node's `Authorization` headers, all of them. */
import type { IncomingMessage } from 'node:http'

/** Node's own header object keeps the first of two and hides the other. */
export function authorizations({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'authorization')
}
