/** Threads beside the one that answers requests, for work that takes a processor for a long time: password hashes. */
import { Worker } from 'node:worker_threads'
import type { Options } from '@node-rs/argon2'

/** A password, and the hash to compare it with or the parameters to hash it with. */
type Work =
  | { readonly password: Buffer; readonly phc: string }
  | { readonly password: Buffer; readonly options: Options }

export interface HashThreads {
  hash(password: Buffer, options: Options): Promise<string>
  verify(phc: string, password: Buffer): Promise<boolean>
}

type Answer = { readonly done: string | boolean } | { readonly failed: string }

/**
 * One thread for each call at the same time, started at the first need and kept; how many there may be is the
 * caller's to bound. They are not libuv's, which files and names are looked up with, and yield to requests.
 */
export function createHashThreads(): HashThreads {
  const idle: Worker[] = []

  async function run(work: Work): Promise<string | boolean> {
    const thread = idle.pop() ?? new Worker(new URL('./hash-worker.mjs', import.meta.url), { execArgv: [] })
    // A process ends when nobody waits for a hash.
    thread.ref()
    const answer = await new Promise<Answer>((resolve, reject) => {
      thread.once('error', reject)
      thread.once('message', (message: Answer) => {
        thread.off('error', reject)
        resolve(message)
      })
      thread.postMessage(work)
    })
    thread.unref()
    idle.push(thread)
    if ('failed' in answer) throw new Error(answer.failed)
    return answer.done
  }

  return {
    hash: (password: Buffer, options: Options) => run({ password, options }) as Promise<string>,
    verify: (phc: string, password: Buffer) => run({ password, phc }) as Promise<boolean>,
  }
}
