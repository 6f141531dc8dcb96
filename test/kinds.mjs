/** Which command runs a test file. */

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

export const isSlow = file => slowTests.some(prefix => file.startsWith(prefix))
