// Executes the README's quick start against a running service, command by command, and judges what each one printed.
//
//   node test/support/quick-start.mjs <file with the service's output> [issuer]
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { root } from './project.mjs'

const printedIssuer = 'http://localhost:4000'
const placeholder = 'paste the link here'

/** What each command must print, in the README's order. Each takes one block of commands, and none may be left over. */
const steps = [
  { rule: 'it runs with two commands', is: /^npm ci && npm start$/ },
  { rule: 'the issuer is named', is: /^issuer=http/, prints: /^$/ },
  { rule: 'a newcomer asks for a link', is: /"\$issuer\/v1\/sign-up"/, prints: /^\{"accepted":true\}$/ },
  { rule: 'the link stands on the terminal', is: /^link='paste the link here'$/, prints: /^$/ },
  {
    rule: 'the link and a password open a session',
    is: /\/v1\/sign-up\/verify/,
    prints: /^\{"session":\{"id":"[\w-]+"/,
  },
  {
    rule: 'the password signs in',
    is: /^curl .* "\$issuer\/v1\/session" .*-d /s,
    prints: /^\{"session":\{"id":"[\w-]+"/,
  },
  {
    rule: 'the session says who is signed in',
    is: /^curl [^\n]* "\$issuer\/v1\/session"$/,
    prints: /"user":\{"id":"[0-9a-f-]{36}","email":"ada@example\.com","name":"Ada"\}/,
  },
  {
    rule: 'the session is exchanged for an access token',
    is: /^token=/,
    prints: /^[\w-]+\.[\w-]+\.[\w-]{86}$/,
  },
  {
    rule: 'a program that knows only the issuer verifies the token',
    is: /examples\/verify-token\.mjs/,
    prints: /aud: 'demo-api'/,
  },
  {
    rule: 'PyJWT verifies the token from the metadata alone',
    is: /test\/interop\/pyjwt\.py/,
    prints: /"aud": "demo-api"/,
    needs: 'PyJWT',
  },
  { rule: 'after signing out the session is gone', is: /-X DELETE/, prints: /"code":"unauthenticated"/ },
]

/** The fenced shell blocks of the quick start, each with the step it is. Throws when the two do not match. */
export function quickStart() {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const section = /^## Quick start$(.*?)^## /ms.exec(readme)?.[1] ?? ''
  const blocks = [...section.matchAll(/^```sh\n(.*?)\n```$/gms)].map(match => match[1])
  const paired = blocks.map((block, index) => ({ block, step: steps[index] }))
  const wrong = paired.find(({ block, step }) => !step?.is.test(block))
  if (wrong) throw new Error(`the quick start does not expect this command here:\n${wrong.block}`)
  if (blocks.length !== steps.length) throw new Error(`the quick start lacks: ${steps[blocks.length].rule}`)
  return paired
}

/** A folder to put in front of PATH so that `python3` is one with PyJWT; undefined when there is none. */
function pythonFolder() {
  for (const python of ['python3', '/usr/bin/python3']) {
    const command = 'import jwt, cryptography, sys; print(sys.executable)'
    const { status, stdout } = spawnSync(python, ['-c', command], { encoding: 'utf8' })
    if (status !== 0) continue
    const folder = mkdtempSync(join(tmpdir(), 'mintmark-python-'))
    symlinkSync(stdout.trim(), join(folder, 'python3'))
    return folder
  }
  return undefined
}

/**
 * Everything but the first block, which starts the service, in one shell. `output` returns what the service has
 * printed so far.
 */
export async function runQuickStart(issuer, output) {
  const python = pythonFolder()
  const { PATH = '', HOME = root } = process.env
  const shell = spawn('bash', ['-o', 'pipefail'], {
    cwd: root,
    env: { HOME, PATH: [python, PATH].filter(Boolean).join(delimiter) },
  })
  let printed = ''
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      printed += text
    })
  }
  const results = []
  try {
    for (const { block, step } of quickStart().slice(1)) {
      if (step.needs === 'PyJWT' && !python) {
        results.push({ rule: step.rule, block, skipped: 'no python3 with PyJWT' })
        continue
      }
      const pasted = block.includes(placeholder) ? await newestLink(output) : ''
      const commands = block.replaceAll(printedIssuer, issuer).replace(placeholder, pasted)
      printed = ''
      shell.stdin.write(`${commands}\nprintf '\\n= %s\\n' $?\n`)
      const status = await until(() => /\n= (\d+)\n$/.exec(printed)?.[1])
      const text = printed.replace(/\n\n?= \d+\n$/, '')
      const passed = status === '0' && step.prints.test(text)
      results.push({ rule: step.rule, block, printed: text, passed })
    }
  } finally {
    shell.stdin.end('rm -f "$jar"\n')
    if (python) rmSync(python, { recursive: true })
  }
  return results
}

const newestLink = output =>
  until(() =>
    output()
      .match(/http\S+#token=\S+/g)
      ?.at(-1),
  )

async function until(look) {
  for (const end = performance.now() + 20_000; performance.now() < end; await pause(10)) {
    const found = look()
    if (found !== undefined) return found
  }
  throw new Error('the quick start went on for 20 seconds without an answer')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, issuer = printedIssuer] = process.argv.slice(2)
  const results = await runQuickStart(issuer, () => readFileSync(file, 'utf8'))
  for (const { rule, block, printed, passed, skipped } of results) {
    const verdict = skipped ? `skipped, ${skipped}` : passed ? 'ok' : 'NOT OK'
    console.log(`\n# ${rule}: ${verdict}\n$ ${block}\n${printed ?? ''}`)
  }
  const count = wanted => results.filter(wanted).length
  const failed = count(result => !result.passed && !result.skipped)
  const skipped = count(result => result.skipped)
  console.log(
    `\n${count(result => result.passed)} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`,
  )
  process.exitCode = failed ? 1 : 0
}
