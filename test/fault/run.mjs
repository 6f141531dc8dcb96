// The long form of the fault suite, on what `npm run build` made.
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
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { compileTests } from '../compile.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
compileTests()
const main = 'build/test/fault/main.js'
const running = spawn(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
// It gets the terminal's signals itself, and ends what it started before it ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => running.kill(signal))
process.exitCode = await new Promise(resolve => running.on('close', status => resolve(status ?? 1)))
