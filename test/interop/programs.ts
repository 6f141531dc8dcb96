/** Programs in other languages that take tokens, one a line: how each is built, and run once for all of them. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import tap from 'tap'
import { root } from '../support/project.mjs'

export const { PATH = '', HOME = root } = process.env
const env = { PATH, HOME }
export const built = mkdtempSync(join(tmpdir(), 'mintmark-interop-'))
tap.teardown(() => rmSync(built, { recursive: true, force: true }))

/** A program and its first arguments, or what is missing to build it. */
export type Command = readonly string[] | { readonly missing: string }

/** In CI nothing may be missing, and a build that fails says why. */
export function succeeds(cwd: string, command: string, ...args: string[]): boolean {
  // With the whole environment: a machine may say there how its registries are reached.
  const { status, stderr, error } = spawnSync(command, args, { cwd: resolve(root, cwd), encoding: 'utf8' })
  if (status !== 0 && process.env.CI) tap.comment(`${command} ${args.join(' ')}: ${error ?? stderr}`)
  return status === 0
}

/** A registry may fail to answer once. */
export function downloads(...command: [cwd: string, command: string, ...args: string[]]): boolean {
  return succeeds(...command) || succeeds(...command) || succeeds(...command)
}

/** Debian's python3 too, where another one comes first. */
export function python(script: string, ...modules: string[]): Command {
  const found = ['python3', '/usr/bin/python3'].find(command =>
    succeeds('', command, '-c', `import ${modules.join(', ')}`),
  )
  return found ? [found, script] : { missing: `python3 with ${modules.join(', ')}` }
}

export function go(): Command {
  const program = join(built, 'verify-token')
  return downloads('test/interop/go', 'go', 'build', '-o', program, '.') ? [program] : { missing: 'go' }
}

/** The verifier of packages/verifier-go, driven by test/interop/feed/go. */
export function goFollower(): Command {
  const program = join(built, 'follow-feed')
  return downloads('test/interop/feed/go', 'go', 'build', '-o', program, '.') ? [program] : { missing: 'go' }
}

export const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'
const jvm = ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

export function nimbus(): Command {
  const version = '10.5'
  const jar = join(
    HOME,
    `.m2/repository/com/nimbusds/nimbus-jose-jwt/${version}/nimbus-jose-jwt-${version}.jar`,
  )
  const artifact = `-Dartifact=com.nimbusds:nimbus-jose-jwt:${version}`
  if (!existsSync(jar)) downloads('', 'mvn', '-q', '-B', `${plugin}:get`, artifact, '-Dtransitive=false')
  return succeeds('test/interop/java', 'javac', '-cp', jar, '-d', built, 'VerifyToken.java')
    ? [...jvm, '-cp', `${jar}:${built}`, 'VerifyToken']
    : { missing: 'a JDK with Maven' }
}

export function spring(): Command {
  const jars = join(built, 'spring')
  const wanted = ['-DincludeScope=runtime', `-DoutputDirectory=${jars}`]
  const there = downloads('test/interop/spring', 'mvn', '-q', '-B', `${plugin}:copy-dependencies`, ...wanted)
  const compile = ['-cp', `${jars}/*`, '-d', jars, 'VerifyWithSpring.java']
  return there && succeeds('test/interop/spring', 'javac', ...compile)
    ? [...jvm, '-cp', `${jars}/*:${jars}`, 'VerifyWithSpring']
    : { missing: 'a JDK with Maven' }
}

/** What it says of each token, in a line. Without blocking: the keys are served by this process. */
export function run(
  [command = '', ...first]: readonly string[],
  args: readonly string[],
  tokens: readonly string[],
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { cwd: root, env })
    let said = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      said += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      errors += text
    })
    child.on('error', reject)
    child.on('close', code => {
      const lines = said.trimEnd().split('\n')
      const refusals = lines.filter(line => line.startsWith('refused: ')).length
      if (lines.length === tokens.length && code === (refusals > 0 ? 1 : 0)) resolve(lines)
      else reject(new Error(`${command} ended with ${code}: ${said}${errors}`))
    })
    child.stdin.end(tokens.join('\n'))
  })
}

export const isRefused = (line: string | undefined) => line === undefined || line.startsWith('refused: ')
