/**
 * A thread that hashes passwords at a lower priority than requests are answered with. Plain JavaScript: a thread is
 * started by the name of its file, which the compiler would not follow.
 */
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { hashSync, verifySync } from '@node-rs/argon2'

try {
  // Linux keeps a priority for each thread, and this is about the calling one (setpriority(2)).
  setPriority(10)
} catch {
  // Not allowed here: then hashes and requests share the processor evenly.
}

parentPort?.on('message', ({ password, phc, options }) => {
  let answer
  try {
    answer = { done: phc === undefined ? hashSync(password, options) : verifySync(phc, password) }
  } catch (error) {
    answer = { failed: String(error) }
  }
  parentPort?.postMessage(answer)
})
