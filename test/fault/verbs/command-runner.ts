/** The commands of the build under test, as an operator runs them beside the service. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import type { Stage } from '../stage.js'
import type { Told } from './verb.js'

export interface Commands {
  /** One at a time. */
  run(words: readonly string[]): Promise<Told>
  close(): Promise<void>
}

export async function startCommands({ cluster, tree }: Stage): Promise<Commands> {
  const { sessionRedis } = cluster
  const child = fork(resolve('test/fault/verbs/run-commands.mjs'), [resolve(tree)], {
    cwd: cluster.folder,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: cluster.operatorUrl,
      ISSUER: 'http://localhost:4000',
      MINTMARK_OUTBOX_FOLDER: 'outbox',
      MINTMARK_KEYS_FOLDER: join(cluster.folder, 'keys'),
      ...(sessionRedis && {
        SESSION_STORE: 'redis',
        REDIS_URL: sessionRedis.url,
        MINTMARK_SESSION_REDIS_UNSAFE: 'accepted',
      }),
    },
  })
  const ended = once(child, 'exit')
  const heard = async () => {
    const gone = ended.then(([code]) => Promise.reject(new Error(`the commands ended with ${code}`)))
    gone.catch(() => {})
    const [message] = await Promise.race([once(child, 'message'), gone])
    return message as { failure?: string }
  }
  await heard()
  return {
    async run(words) {
      child.send([...words])
      const { failure } = await heard()
      const unconfirmed = failure?.startsWith('Not confirmed') === true
      const away = failure?.startsWith('Nothing was done') === true
      return { answered: !unconfirmed && !away, unconfirmed, says: failure ?? 'done' }
    },
    async close() {
      child.kill()
      await ended
    },
  }
}
