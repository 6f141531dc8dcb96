/** The generation that was trusted here, kept as the name of a file: it never goes back, and a fault of it only warns. */
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { openTrustedGeneration } from '../../src/boot/trusted-generation.js'

const names = async (folder: string) => (await readdir(folder)).sort()

test('a fresh folder keeps none, and what is kept is there after a restart', async t => {
  const folder = t.testdir()
  const generation = await openTrustedGeneration(folder)
  t.equal(generation.kept, 0)
  t.equal(await generation.keep(7), undefined)
  t.equal(generation.kept, 7)
  t.equal(generation.file, join(folder, '7.generation'))
  t.equal((await openTrustedGeneration(folder)).kept, 7)
})

test('it never goes back, and what is lower is removed', async t => {
  const folder = t.testdir()
  const generation = await openTrustedGeneration(folder)
  for (const next of [7, 6, 9, 9, 1]) t.equal(await generation.keep(next), undefined)
  t.equal(generation.kept, 9)
  t.same(await names(folder), ['9.generation'])
})

test('of two instances that keep at once neither takes the other back', async t => {
  for (let round = 0; round < 20; round++) {
    const folder = t.testdir()
    await rm(folder, { recursive: true })
    await mkdir(folder)
    const both = [await openTrustedGeneration(folder), await openTrustedGeneration(folder)] as const
    await Promise.all([both[0].keep(7), both[1].keep(8), both[0].keep(6), both[1].keep(5)])
    t.equal((await openTrustedGeneration(folder)).kept, 8)
    // One that was started before, and knows less.
    await both[0].keep(7)
    t.equal((await openTrustedGeneration(folder)).kept, 8)
  }
})

test('names of another form are no generations', async t => {
  const no = [
    '0.generation',
    '07.generation',
    '-1.generation',
    '1e9.generation',
    '9.generation~',
    'x9.generation',
  ]
  const more = ['.generation', '9 .generation', '1234567890123456.generation', '99.GENERATION', 'first.kek']
  const folder = t.testdir(Object.fromEntries([...no, ...more, '3.generation'].map(name => [name, ''])))
  const generation = await openTrustedGeneration(folder)
  t.equal(generation.kept, 3)
  await generation.keep(4)
  t.same(await names(folder), [...no, ...more, '4.generation'].sort(), 'and they are left alone')
})

test('what is in the file is no matter, so that it can be a key of a secret', async t => {
  const folder = t.testdir({ '12.generation': 'anything' })
  t.equal((await openTrustedGeneration(folder)).kept, 12)
})

test('where nothing can be written it says what to do, keeps what it knew, and tries again', async t => {
  const folder = join(t.testdir({}), 'keys')
  await mkdir(folder)
  await writeFile(join(folder, '3.generation'), '')
  const generation = await openTrustedGeneration(folder)
  // Root may write anywhere: a folder of that name is in the way of everybody.
  await mkdir(join(folder, '5.generation'))
  t.match(
    await generation.keep(5),
    /the generation 5 .*cannot be stored in .*keys \(EISDIR\).*Put an empty file 5\.generation beside the key-encryption keys \(in Kubernetes, a key with that name in their secret\)/,
  )
  t.equal(generation.kept, 3)
  await rm(join(folder, '5.generation'), { recursive: true })
  t.equal(await generation.keep(5), undefined)
  t.equal(generation.kept, 5)
})

test('a folder that is not there, or may not be written to, warns as well', async t => {
  const gone = await openTrustedGeneration(join(t.testdir({}), 'nowhere'))
  t.equal(gone.kept, 0)
  t.match(await gone.keep(5), /ENOENT/)
  if (process.getuid?.() === 0) return
  const folder = t.testdir({})
  await chmod(folder, 0o500)
  t.match(await (await openTrustedGeneration(folder)).keep(5), /EACCES/)
  await chmod(folder, 0o700)
})
