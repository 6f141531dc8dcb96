/** Tells the other instances through Redis that something changed, so that they look at once instead of soon. */
import { connectRedis, onNonsense, whyAway } from './connection.js'

/** What changed. An announcement says nothing else: anybody who hears it asks Postgres. */
export type Topic = 'applications' | 'keys'

const channel = 'mintmark:changed'

export interface Announcements {
  readonly state: 'connected' | 'away'
  close(): void
}

/**
 * Listens for as long as the service runs. Redis being away costs seconds until the next regular look, nothing else;
 * after a reconnect everything is looked at, since announcements may have been missed.
 */
export function listen(
  url: string,
  hear: (topic: Topic) => void,
  say: (problem: string) => void,
): Announcements {
  const redis = connectRedis(url)
  let connected = false
  redis.on('ready', () => {
    connected = true
    redis.subscribe(channel).then(
      () => topics.forEach(hear),
      error => say(`Redis does not allow this user to subscribe: ${(error as Error).message}`),
    )
  })
  redis.on('close', () => {
    if (connected) say(`Redis is away: ${whyAway(redis)}`)
    connected = false
  })
  redis.on('message', (_channel, topic) => {
    if (isTopic(topic)) hear(topic)
  })
  onNonsense(redis, say)
  redis.connect().catch(() => say(`Redis is away: ${whyAway(redis)}`))
  return {
    get state() {
      return connected ? 'connected' : 'away'
    },
    close: () => redis.disconnect(),
  }
}

/** From the operator's commands: told if Redis can be reached now, not retried. Throws why it is away, and what to do. */
export async function announce(url: string, topic: Topic): Promise<void> {
  const redis = connectRedis(url, null)
  try {
    await redis.connect()
    await redis.publish(channel, topic)
  } catch (cause) {
    throw new Error(String(whyAway(redis)), { cause })
  } finally {
    redis.disconnect()
  }
}

const topics: readonly Topic[] = ['applications', 'keys']

function isTopic(text: string): text is Topic {
  return (topics as readonly string[]).includes(text)
}
