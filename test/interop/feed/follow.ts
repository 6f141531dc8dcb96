/** The verifiers of other languages that follow the feed (`live.py`, `go`), and one that was started. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { root } from '../../support/project.mjs'
import { type Command, goFollower, HOME, PATH, python } from '../programs.js'
import { serviceKey } from './issuer.js'

/** How it is made to run: with vectors, and live. */
export interface Program {
  readonly name: string
  readonly vectors: Command
  readonly live: Command
}

const then = (command: Command, argument: string): Command =>
  'missing' in command ? command : [...command, argument]

export function programs(): Program[] {
  const built = goFollower()
  const modules = ['jwt', 'cryptography']
  return [
    {
      name: 'Python',
      vectors: python('test/interop/feed/vectors.py', ...modules),
      live: python('test/interop/feed/live.py', ...modules),
    },
    { name: 'Go', vectors: then(built, 'vectors'), live: then(built, 'live') },
  ]
}

/** One that was started, and what it says of a token. */
export function follow(
  t: Test,
  { live }: Program,
  issuer: string,
  mode: string,
  audience: string,
  { key = serviceKey, maxAge = '2' } = {},
) {
  const [command = '', ...args] = live as readonly string[]
  const feed = { ISSUER: issuer, AUDIENCE: audience, SERVICE_KEY: key, MODE: mode, MAX_AGE: maxAge }
  const child = spawn(command, args, {
    cwd: root,
    env: { PATH, HOME, ...feed },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => void child.kill())
  const waiting = new Map<number, (code: string) => void>()
  createInterface(child.stdout).on('line', line => {
    const { id, code } = JSON.parse(line)
    waiting.get(id)?.(code)
  })
  let last = 0
  const verify = (token: string) =>
    new Promise<string>(resolve => {
      waiting.set(++last, resolve)
      child.stdin.write(`${JSON.stringify({ id: last, token })}\n`)
    })
  /** The verdict, once it is this one, or the last one that there was. */
  const becomes = async (token: string, wanted: string, seconds = 10) => {
    const until = Date.now() + seconds * 1000
    for (;;) {
      const code = await verify(token)
      if (code === wanted || Date.now() > until) return code
      await delay(20)
    }
  }
  return { verify, becomes }
}
