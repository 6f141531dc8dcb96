/** What an answer that revokes says: up to which position the feed holds it, and, if an operator waits, that all know it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Feed } from '../../feed/feed.js'
import type { Receipts } from '../../feed/receipts.js'
import { type FeedPosition, writePosition } from '../../feed/verifiers.js'
import { carriesSessionCookie } from './cookie.js'

/** `its session`: a success ends or renews the session that the request carries, if it carries one. */
export type Revokes = 'always' | 'its session'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A success of this route takes something away. */
    revokes?: Revokes
  }
}

export interface RevocationParts {
  readonly feed: Pick<Feed, 'position'>
  readonly receipts: Pick<Receipts, 'wait'>
}

/** Milliseconds. The revocation stands, and its entries get positions, whether or not this answer can say which. */
const mostPositionMs = 1000
/** Seconds. */
const mostWaiting = 10

/** On every route that says that it revokes, and on no other: after its work, which is committed when it returns. */
export function tellPosition(app: FastifyInstance, { feed, receipts }: RevocationParts): void {
  app.addHook('onRoute', route => {
    if (route.config?.revokes) route.onSend = [tell, route.onSend ?? []].flat()
  })

  async function tell(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (!revokes(request) || reply.statusCode >= 300) return
    const position = await positionInTime(feed)
    if (!position) return
    reply.header('mintmark-revocation', writePosition(position))
    const seconds = waitOf(request)
    if (seconds === undefined) return
    const waited = await receipts.wait(position, seconds * 1000, hungUp(reply))
    if (waited === 'waited') reply.header('preference-applied', 'wait')
  }
}

function revokes(request: FastifyRequest): boolean {
  const { revokes } = request.routeOptions.config
  return revokes === 'always' || (revokes === 'its session' && carriesSessionCookie(request))
}

/** Undefined where the database cannot be asked in time: no answer to a revocation fails because of it. */
async function positionInTime(feed: Pick<Feed, 'position'>): Promise<FeedPosition | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), mostPositionMs)
  })
  const position = feed.position().catch(() => undefined)
  return Promise.race([position, late]).finally(() => clearTimeout(timer))
}

/** `Prefer: wait=2` (RFC 7240) of an operator; its turn goes on meanwhile. Anybody else is answered at once. */
function waitOf({ routeOptions, headers }: FastifyRequest): number | undefined {
  if (!routeOptions.config.needs) return undefined
  const [, seconds] = /(?:^|,)\s*wait\s*=\s*"?(\d+)"?\s*(?=[,;]|$)/i.exec(String(headers.prefer ?? '')) ?? []
  return seconds === undefined ? undefined : Math.min(Number(seconds), mostWaiting)
}

function hungUp({ raw }: FastifyReply): AbortSignal {
  const ended = new AbortController()
  raw.once('close', () => ended.abort())
  return ended.signal
}
