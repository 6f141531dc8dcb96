// The long form of the fault suite: compiles it into a temporary folder and runs it there, on what `npm run build` made.
//
//   npm run test:fault                          every directed schedule, then 20 random seeds
//   npm run test:fault -- --seeds 200           as many seeds as that, from a random first one
//   npm run test:fault -- --seed 4711           that seed alone
//   npm run test:fault -- --seconds 8           how long each seed runs, at most 10
//   npm run test:fault -- --store redis         sessions in one Redis with a replica; cluster: in a Cluster of three nodes
//   npm run test:fault -- --mutants             every planted bug with the schedule that must expose it
//   npm run test:fault -- --revokes 10000       as many revocations, each tried on every instance
//   npm run test:fault -- --rotations 20         as many rotations of the signing key and a leak, under load and SIGKILL
//   npm run test:fault -- --role-removals 50    as many removals of a role, while 1 000 tokens a second are minted
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
process.chdir(root)
const folder = mkdtempSync(join(tmpdir(), 'mf-'))
chmodSync(folder, 0o755)
writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
for (const name of ['node_modules', 'drizzle']) symlinkSync(join(root, name), join(folder, name))

const compiler = 'node_modules/typescript7/bin/tsc'
const compiled = spawnSync(
  process.execPath,
  [compiler, '-p', 'test/fault/tsconfig.json', '--outDir', folder],
  {
    stdio: 'inherit',
  },
)
let code = compiled.status ?? 1
if (code === 0) {
  const main = join(folder, 'test', 'fault', 'main.js')
  const running = spawn(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  // It gets the terminal's signals itself, and ends what it started before it ends.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => running.kill(signal))
  code = await new Promise(resolve => running.on('close', status => resolve(status ?? 1)))
}
rmSync(folder, { recursive: true, force: true })
process.exitCode = code
