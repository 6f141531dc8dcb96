/** Owns the reading of one answer of the feed: its messages, in their order. */
import type { Clock } from './clock.js'
import { longestAnswer, type MessageFault, readMessage } from './feed-message.js'
import type { FeedState, StateFault } from './feed-state.js'
import type { KeyRefresh } from './key-refresh.js'

export interface AnswerParts {
  readonly issuer: string
  readonly clock: Clock
  readonly state: FeedState
  readonly keys: KeyRefresh
}

export type AnswerFault = MessageFault | StateFault | 'too_large'

/** Each costs a signature. */
const mostMessages = 1_000

/** What an answer brought, or the first fault where it brought nothing. */
export async function readAnswer(
  text: string | undefined,
  sentAt: number,
  { issuer, clock, state, keys }: AnswerParts,
): Promise<'news' | 'beat' | 'reload' | AnswerFault> {
  if (text === undefined || text.length > longestAnswer) return 'too_large'
  const lines = text.replace(/\n$/, '').split('\n').slice(0, mostMessages)
  let brought: 'news' | 'beat' | undefined
  let fault: AnswerFault | undefined
  for (const line of lines) {
    const message = await readMessage(line, issuer, kid => keys.find(kid), clock.now() / 1000)
    const outcome = typeof message === 'string' ? message : state.accept(message, sentAt)
    const isAccepted = outcome === 'news' || outcome === 'beat'
    if (typeof message !== 'string' && (isAccepted || outcome === 'reload')) void keys.check(message.jwks)
    // What follows was meant for who had the entries before it.
    if (outcome === 'reload') return outcome
    if (isAccepted) brought = brought === 'news' ? brought : outcome
    else fault ??= outcome
  }
  return brought ?? fault ?? 'message'
}
