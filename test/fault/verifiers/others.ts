/** Verifiers of other languages, each a process that takes a token a line and says `ok` or why not. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

export interface OtherVerifier {
  readonly name: string
  /** Why it cannot run here. */
  readonly missing: string | undefined
  verify(token: string): Promise<void>
  readonly verified: () => number
  readonly refused: () => number
  readonly reasons: ReadonlySet<string>
  close(): void
}

/** `lifespan`: how old a list may be, in seconds. `folder`: where what must be built is put. */
export async function startOthers(
  jwks: string,
  issuer: string,
  audience: string,
  lifespan: number,
  folder: string,
): Promise<OtherVerifier[]> {
  const here = resolve('test/fault/verifiers')
  const built = join(folder, 'verifier')
  const of = [jwks, issuer, audience]
  const go = spawnSync('go', ['build', '-o', built, '.'], { cwd: join(here, 'go'), encoding: 'utf8' })
  return [
    start('PyJWT', '/usr/bin/python3', [join(here, 'pyjwt_stream.py'), ...of, String(lifespan)], {
      missing:
        spawnSync('/usr/bin/python3', ['-c', 'import jwt']).status === 0
          ? undefined
          : 'apt-get install python3-jwt',
    }),
    start('golang-jwt with keyfunc', built, [...of, `${lifespan}s`], {
      missing: go.status === 0 ? undefined : `go build: ${go.error?.message ?? go.stderr}`,
    }),
  ]
}

function start(
  name: string,
  command: string,
  args: string[],
  { missing }: { missing: string | undefined },
): OtherVerifier {
  let verified = 0
  let refused = 0
  const reasons = new Set<string>()
  const waiting: (() => void)[] = []
  let child: ChildProcessWithoutNullStreams | undefined
  let closed = false
  if (missing === undefined) {
    child = spawn(command, args)
    child.stderr.pipe(process.stderr)
    createInterface(child.stdout).on('line', line => {
      if (line === 'ok') verified++
      else {
        refused++
        reasons.add(line)
      }
      waiting.shift()?.()
    })
    child.on('exit', code => {
      if (closed) return
      refused++
      reasons.add(`it ended with ${code}`)
      for (const done of waiting) done()
    })
  }
  return {
    name,
    missing,
    verify: token =>
      new Promise(done => {
        if (!child || child.exitCode !== null) return done()
        waiting.push(done)
        child.stdin.write(`${token}\n`)
      }),
    verified: () => verified,
    refused: () => refused,
    reasons,
    close() {
      closed = true
      child?.kill()
    },
  }
}
