/** Sealed values open for whom they were sealed, unaltered and in their place, or not at all. */
import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { open, seal } from '../../src/sealing/seal.js'

const kek = randomBytes(32)
const plain = Buffer.from('a private key, say: \0\xff', 'latin1')

test('what was sealed opens under the same key and binding', async t => {
  for (const text of [plain, Buffer.alloc(0), randomBytes(10_000)])
    t.strictSame(open(kek, seal(kek, text, 'row 1'), 'row 1'), text)
})

test('a sealed value shows nothing of what is in it, and no two are alike', async t => {
  const sealed = Array.from({ length: 50 }, () => seal(kek, plain, 'row 1'))
  t.equal(new Set(sealed.map(value => value.toString('hex'))).size, 50)
  t.equal(
    new Set(sealed.map(value => value.subarray(0, 12).toString('hex'))).size,
    50,
    'a nonce is used once',
  )
  for (const value of sealed) {
    t.equal(value.length, 12 + plain.length + 16)
    t.notOk(value.includes(plain.subarray(0, 8)))
    t.notOk(value.includes(kek.subarray(0, 8)))
  }
})

test('another binding does not open it: rows and purposes cannot be exchanged', async t => {
  const [one, two] = [seal(kek, plain, 'purpose\nissuer\nkid-1'), seal(kek, plain, 'purpose\nissuer\nkid-2')]
  t.throws(() => open(kek, one, 'purpose\nissuer\nkid-2'))
  t.throws(() => open(kek, two, 'purpose\nissuer\nkid-1'))
  for (const other of [
    '',
    'purpose',
    'other purpose\nissuer\nkid-1',
    'purpose\nissuer\nkid-1 ',
    'PURPOSE\nissuer\nkid-1',
  ])
    t.throws(() => open(kek, one, other), `bound to ${JSON.stringify(other)}`)
})

test('another key does not open it', async t => {
  const sealed = seal(kek, plain, 'row')
  const near = Buffer.from(kek)
  near[31] = (near[31] ?? 0) ^ 1
  for (const other of [near, randomBytes(32), Buffer.alloc(32)]) t.throws(() => open(other, sealed, 'row'))
})

test('one flipped bit anywhere does not open', async t => {
  const sealed = seal(kek, plain, 'row')
  let opened = 0
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const altered = Buffer.from(sealed)
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    try {
      open(kek, altered, 'row')
      opened++
    } catch {}
  }
  t.equal(opened, 0)
  t.strictSame(open(kek, sealed, 'row'), plain)
})

test('a value that was cut short, lengthened or spliced does not open', async t => {
  const [one, two] = [seal(kek, plain, 'row'), seal(kek, plain, 'row')]
  for (let length = 0; length < one.length; length++)
    t.throws(() => open(kek, one.subarray(0, length), 'row'), `${length} bytes of it`)
  t.throws(() => open(kek, Buffer.concat([one, Buffer.from([0])]), 'row'))
  t.throws(() => open(kek, Buffer.concat([one.subarray(0, 12), two.subarray(12)]), 'row'), 'nonce of another')
  t.throws(() => open(kek, Buffer.concat([one.subarray(0, -16), two.subarray(-16)]), 'row'), 'tag of another')
})
