/** What the documentation says of our verifier beside jose's remote key set is so, in one run of the same drills. */
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { runDrills } from '../../bench/verifier-drills.mjs'
import { createVerifier } from '../../packages/verifier/src/index.js'
import { rootUrl } from '../support/project.mjs'

interface Row {
  readonly what: string
  readonly ours: number
  readonly jose: number
}

/** By their words: what ours must do, and what jose's does today. A newer jose may do better: then the page must change. */
const expected: [what: RegExp, ours: (figure: number) => boolean, jose: (figure: number) => boolean][] = [
  [/three announced rotations/, ours => ours === 0, jose => jose === 0],
  [/valid tokens rejected, of 240/, ours => ours === 0, jose => jose > 100],
  [/requests to the issuer that is down/, ours => ours <= 30, jose => jose > 100],
  [/a leaked key is withdrawn/, ours => ours <= 270, jose => jose > 500],
  [/an unannounced key/, ours => ours <= 5, jose => jose >= 30],
  [/10 000 random kids/, ours => ours <= 2, jose => jose <= 2],
  [/the same while the issuer is down/, ours => ours <= 2, jose => jose === 10_000],
]

test('KY-01, KY-07: through rotation, outage, leak and flood ours does what its page says, and jose what it says of jose', async t => {
  const rows: Row[] = await runDrills(createVerifier)
  const page = readFileSync(new URL('packages/verifier/README.md', rootUrl), 'utf8')
  t.equal(rows.length, expected.length)
  for (const [index, [words, ours, jose]] of expected.entries()) {
    const row = rows[index] as Row
    t.match(row.what, words)
    t.ok(ours(row.ours), `${row.what}: ours ${row.ours}`)
    t.ok(jose(row.jose), `${row.what}: jose ${row.jose}`)
    const printed = page.split('\n').find(line => line.startsWith(`| ${row.what} |`))
    const [, , oursPrinted, josePrinted] = (printed ?? '').split('|').map(cell => cell.trim())
    t.ok(ours(Number(oursPrinted || Number.NaN)), `${row.what}: on the page ${oursPrinted}`)
    t.ok(jose(Number(josePrinted || Number.NaN)), `${row.what}: on the page ${josePrinted}`)
  }
})
