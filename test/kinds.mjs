/** Which command runs a test file, and how many of its kind run at once. */
import { availableParallelism } from 'node:os'

/** `npm run test:slow` runs these, `npm test` all others: processes, faults, browsers, other languages, packages. */
export const slowTests = [
  'test/browser/',
  'test/docs/quick-start.test.ts',
  'test/embedded/',
  'test/fault/',
  'test/interop/',
  'test/process/',
  'test/supply-chain.test.ts',
]

/** These wait for processes, timers and other programs more than they compute. */
const waitingTests = ['test/browser/', 'test/embedded/', 'test/fault/', 'test/mail/', 'test/process/']

const startsWithOne = (prefixes, file) => prefixes.some(prefix => file.startsWith(prefix))

export const isSlow = file => startsWithOne(slowTests, file)

/** The files in groups that run one after the other, each with the number of files that run at once. */
export function inGroups(files) {
  const cores = availableParallelism()
  const waits = file => startsWithOne(waitingTests, file)
  return [
    { jobs: cores, files: files.filter(file => !waits(file)) },
    { jobs: 2 * cores, files: files.filter(waits) },
  ].filter(({ files }) => files.length > 0)
}
