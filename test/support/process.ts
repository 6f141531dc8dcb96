/** The service and the operator's commands as processes of their own, built from dist/ like in production. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { rootUrl } from './project.mjs'
import { eventually } from './service.js'

const dist = fileURLToPath(new URL('dist/', rootUrl))

export interface Running {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly exited: Promise<number | NodeJS.Signals>
}

/** Only these variables: nothing of the test runner's own environment, which would instrument the child. */
export function run(
  t: Test,
  script: 'main.js' | 'cli.js',
  args: string[],
  cwd: string,
  env: Record<string, string>,
  /** A command that goes on as the one behind it. */
  prefix: readonly string[] = [],
): Running {
  const [command = '', ...rest] = [...prefix, process.execPath, `${dist}${script}`, ...args]
  const child = spawn(command, rest, {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const exited = new Promise<number | NodeJS.Signals>(resolve => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 1))
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { child, stdout: () => stdout, stderr: () => stderr, exited }
}

/** Resolves once the probes answer 200; fails with what the process said when it ends before. */
export async function ready(running: Running, probes: string): Promise<void> {
  let over: number | NodeJS.Signals | undefined
  void running.exited.then(code => {
    over = code
  })
  await eventually(async () => {
    if (over !== undefined) throw new Error(`it ended with ${over}: ${running.stderr()}`)
    const answer = await fetch(`${probes}/readyz`).catch(() => undefined)
    return answer?.status === 200 || undefined
  }, 30)
}
