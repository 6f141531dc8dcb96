// The long things at their full size, one after another: two to three hours on two cores. Each says what it found and
// measured; the last line is the verdict. In CI the same things run at a small size.
//
//   npm run drill                  all of them
//   npm run drill -- seeds growth  those whose name holds one of these words
import { spawnSync } from 'node:child_process'

const fault = (...options) => ['node', 'test/fault/run.mjs', ...options]

/** What holds, and the command that shows it. */
const drills = {
  'seeds in Postgres': fault('--seeds', '200'),
  'seeds in Redis': fault('--seeds', '200', '--store', 'redis'),
  'seeds in a Redis Cluster': fault('--seeds', '50', '--store', 'cluster'),
  mutants: fault('--mutants'),
  rotations: fault('--rotations', '20'),
  revocations: fault('--revokes', '10000'),
  'role removals': fault('--role-removals', '1000'),
  'random requests': [
    'env',
    'TEST_RUNS=2000',
    'TEST_TIMEOUT=3000',
    'node',
    'test/run.mjs',
    'test/http/property.test.ts',
  ],
  nonsense: [
    ...['env', 'NONSENSE_SEEDS=200', 'TEST_TIMEOUT=3000', 'node', 'test/run.mjs'],
    ...['test/fault/nonsense-postgres.test.ts', 'test/fault/nonsense-redis.test.ts'],
  ],
  feed: ['node', 'bench/feed.mjs'],
  keycloak: ['npm', 'run', '--silent', 'test:keycloak'],
  growth: ['node', 'bench/growth.mjs'],
  'growth in Redis': ['node', 'bench/growth.mjs', '10000,1000000', '5', '4', 'redis'],
  bystander: ['node', 'bench/bystander.mjs'],
}

const words = process.argv.slice(2)
const unknown = words.filter(word => !Object.keys(drills).some(name => name.includes(word)))
if (unknown.length > 0) {
  console.error(`there is no drill ${unknown.join(', ')}: ${Object.keys(drills).join(', ')}`)
  process.exit(2)
}
const chosen = Object.entries(drills).filter(
  ([name]) => words.length === 0 || words.some(word => name.includes(word)),
)
const broken = chosen.filter(([name, [command, ...parameters]]) => {
  const began = performance.now()
  console.log(`\n== ${name}: ${[command, ...parameters].join(' ')}`)
  const { status } = spawnSync(command, parameters, { stdio: 'inherit' })
  console.log(`-- ${status === 0 ? 'held' : 'BROKEN'} in ${Math.round((performance.now() - began) / 1000)} s`)
  return status !== 0
})
console.log(`\n${chosen.length - broken.length} passed, ${broken.length} failed`)
process.exitCode = broken.length === 0 ? 0 : 1
