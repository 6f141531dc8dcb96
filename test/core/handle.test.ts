/** Handles are written one way, however they are read. */
import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { handleForm, handleOf, handlesIn } from '../../src/core/handle.js'

test('handles that come one behind the other are those of each 8 bytes', async t => {
  for (const count of [0, 1, 3, 5, 16]) {
    for (const bytes of [randomBytes(8 * count), Buffer.alloc(8 * count, 0xff), Buffer.alloc(8 * count)]) {
      const apart = Array.from({ length: count }, (_, at) => handleOf(bytes.subarray(8 * at, 8 * at + 8)))
      t.same(handlesIn(bytes), apart)
      t.ok(handlesIn(bytes).every(one => handleForm.test(one)))
    }
  }
})
