// Builds after `npm ci`. npm runs this before `npx mintmark` as well, also where `npm prune --omit=dev` has taken the
// compiler away: there what was built is used as it is.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

if (existsSync('node_modules/typescript7/bin/tsc')) {
  process.exitCode = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' }).status ?? 1
} else if (!existsSync('dist/cli.js')) {
  console.error(
    'There is nothing built here, and no compiler: run `npm ci` first, with the development dependencies.',
  )
  process.exitCode = 1
}
