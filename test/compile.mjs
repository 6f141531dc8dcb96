/** Compiles the sources and the tests into build/, once for every file that runs, and only what has changed. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'

/** Throws when they do not compile. Types are `npm run check`'s. */
export function compileTests() {
  mkdirSync('build', { recursive: true })
  // What the sources find beside themselves.
  for (const name of ['drizzle', 'public']) {
    rmSync(`build/${name}`, { force: true })
    symlinkSync(`../${name}`, `build/${name}`)
  }
  const compiler = 'node_modules/typescript7/bin/tsc'
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.tests.json'], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('the tests do not compile')
}
