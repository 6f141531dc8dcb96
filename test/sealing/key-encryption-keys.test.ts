/** The files of the keys folder: what is taken, what is refused, and that each refusal names its file and its mend. */
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { loadKeyEncryptionKeys, makeFirstKey } from '../../src/sealing/key-encryption-keys.js'
import { rootUrl } from '../support/project.mjs'

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mintmark-kek-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

async function put(folder: string, name: string, content: string | Buffer, mode = 0o600): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  await chmod(path, mode)
  return path
}

const newKey = () => randomBytes(32).toString('base64')
const plain = Buffer.from('plain')

test('a folder that is missing or empty has no keys, and that is no fault', async t => {
  const path = await folder(t)
  for (const where of [path, join(path, 'missing')]) {
    const { keys, faults, warnings } = await loadKeyEncryptionKeys(where)
    t.equal(keys.size, 0)
    t.strictSame([faults, warnings], [[], []])
    t.equal(keys.has('first'), false)
    t.throws(() => keys.seal(plain, 'row'), { message: new RegExp(where) })
  }
})

test('a key is 32 bytes in base64 or base64url, with or without padding and a line break', async t => {
  const path = await folder(t)
  // Both alphabets are needed to write it.
  const bytes = Buffer.from([0xfb, 0xef, 0xbe, ...randomBytes(29)])
  const spellings = [
    bytes.toString('base64'),
    `${bytes.toString('base64')}\n`,
    `  ${bytes.toString('base64url')}\r\n`,
    bytes.toString('base64url'),
  ]
  for (const [i, text] of spellings.entries()) await put(path, `k${i}.kek`, text)
  const { keys, faults } = await loadKeyEncryptionKeys(path)
  t.strictSame(faults, [])
  t.equal(keys.size, 4)
  const { sealed } = keys.seal(plain, 'row')
  for (let i = 0; i < 4; i++)
    t.strictSame(keys.open(`k${i}`, sealed, 'row'), plain, 'one key, four spellings')
})

test('a key that is not random refuses the start, and names how to come away from it', async t => {
  const weak: Record<string, Buffer> = {
    zeros: Buffer.alloc(32),
    ones: Buffer.alloc(32, 0xff),
    pattern: Buffer.from('0123456789abcde0123456789abcde01'),
    word: Buffer.from('correct horse battery staple etc'),
    half: Buffer.concat([randomBytes(12), Buffer.alloc(20)]),
  }
  for (const [name, bytes] of Object.entries(weak)) {
    const path = await folder(t)
    await put(path, 'first.kek', bytes.toString('base64'))
    const { faults } = await loadKeyEncryptionKeys(path)
    t.equal(faults.length, 1, name)
    t.match(faults[0], /first\.kek is not random: add another one .*keys reseal/, name)
    t.notMatch(faults[0], bytes.toString('base64'), 'it does not show it')

    await put(path, 'second.kek', newKey())
    const beside = await loadKeyEncryptionKeys(path)
    t.strictSame(beside.faults, [], 'what it has sealed can be opened, and sealed anew')
    t.match(beside.warnings, [/first\.kek is not random: run `mintmark keys reseal`, then remove it/])
    t.equal(beside.keys.newest(), 'second')
    t.equal(beside.keys.has('first'), true)
  }
})

test('no random key is taken for one that is not', async t => {
  const path = await folder(t)
  for (let i = 0; i < 200; i++) await put(path, `k${i}.kek`, newKey())
  const { faults, warnings } = await loadKeyEncryptionKeys(path)
  t.strictSame([faults, warnings], [[], []])
})

test('a file that holds anything else is a fault that names it and the way to make one', async t => {
  const path = await folder(t)
  const key = newKey()
  const contents: Record<string, string | Buffer> = {
    empty: '',
    short: randomBytes(31).toString('base64'),
    long: randomBytes(33).toString('base64'),
    binary: randomBytes(32),
    hex: randomBytes(32).toString('hex'),
    two: `${key}\n${newKey()}\n`,
    quoted: `"${key}"`,
    commented: `# a key\n${key}`,
    word: 'changeme',
  }
  for (const [name, content] of Object.entries(contents)) await put(path, `${name}.kek`, content)
  const good = await put(path, 'good.kek', key)
  const { keys, faults } = await loadKeyEncryptionKeys(path)
  t.equal(faults.length, Object.keys(contents).length, 'all at once')
  for (const name of Object.keys(contents)) {
    const fault = faults.find(text => text.includes(join(path, `${name}.kek`)))
    t.match(fault, /openssl rand -base64 32/, name)
    t.notMatch(fault, key, 'a fault shows no key')
    t.equal(keys.has(name), false)
  }
  t.equal(keys.has('good'), true, good)
})

test('only files named *.kek are keys', async t => {
  const path = await folder(t)
  for (const name of ['.gitignore', 'README', 'first.kek.bak', '.hidden.kek', 'first.KEK', 'kek'])
    await put(path, name, 'whatever')
  await put(path, 'first.kek', newKey())
  const { keys, faults } = await loadKeyEncryptionKeys(path)
  t.equal(keys.size, 1)
  t.strictSame(faults, [])
})

test('a file that others could have written or read is refused, and nobody else’s is', async t => {
  const path = await folder(t)
  const modes = {
    refused: [0o620, 0o602, 0o666, 0o622, 0o604, 0o644, 0o777],
    taken: [0o600, 0o400, 0o640, 0o440],
  }
  for (const mode of [...modes.refused, ...modes.taken]) await put(path, `m${mode}.kek`, newKey(), mode)
  const { keys, faults, warnings } = await loadKeyEncryptionKeys(path)
  for (const mode of modes.refused) {
    const name = join(path, `m${mode}.kek`)
    t.match(
      faults.find(text => text.includes(name)),
      `chmod 600 ${name}`,
      mode.toString(8),
    )
    t.equal(keys.has(`m${mode}`), false, 'and it is not used')
  }
  for (const mode of modes.taken) t.equal(keys.has(`m${mode}`), true, mode.toString(8))
  t.equal(faults.length, modes.refused.length)
  t.strictSame(warnings, [])
})

const namespace = process.getuid?.() === 0 ? ['-m'] : ['-r', '-m']
const mounts = spawnSync('unshare', [...namespace, 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0
const needsMounts = { skip: mounts || process.env.CI ? false : 'mounts are not permitted here' }

test(
  'on a read-only mount a file that others can read is taken with a warning, one they can write is not',
  needsMounts,
  async t => {
    const path = await folder(t)
    const readable = await put(path, 'readable.kek', newKey(), 0o644)
    const writable = await put(path, 'writable.kek', newKey(), 0o666)
    const fine = await put(path, 'fine.kek', newKey(), 0o400)
    const program = `
    import { loadKeyEncryptionKeys } from ${JSON.stringify(new URL('dist/sealing/key-encryption-keys.js', rootUrl))}
    const { keys, faults, warnings } = await loadKeyEncryptionKeys(${JSON.stringify(path)})
    console.log(JSON.stringify({ has: ['readable', 'writable', 'fine'].filter(keys.has), faults, warnings }))`
    const script =
      'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" --input-type=module -e "$3"'
    const env = { PATH: process.env.PATH }
    const run = ['sh', '-c', script, 'sh', path, process.execPath, program]
    const answer = JSON.parse(execFileSync('unshare', [...namespace, ...run], { encoding: 'utf8', env }))
    t.strictSame(answer.has, ['readable', 'fine'])
    t.equal(answer.warnings.length, 1)
    t.match(answer.warnings[0], readable)
    t.match(answer.warnings[0], 'chmod 600', 'the warning names the mend')
    t.equal(answer.faults.length, 1)
    t.match(answer.faults[0], writable)
    t.notMatch(JSON.stringify(answer), fine)

    const { faults } = await loadKeyEncryptionKeys(path)
    t.equal(faults.length, 2, 'the same folder, not mounted read-only, is refused')
  },
)

test('a folder, or a file, that cannot be read is a fault that names it', async t => {
  const path = await folder(t)
  await put(path, 'file', 'no folder')
  const notAFolder = await loadKeyEncryptionKeys(join(path, 'file'))
  t.equal(notAFolder.keys.size, 0)
  t.match(notAFolder.faults, [new RegExp(join(path, 'file'))])

  const odd = join(path, 'odd')
  await mkdir(join(odd, 'directory.kek'), { recursive: true })
  await chmod(join(odd, 'directory.kek'), 0o700)
  await symlink('nowhere', join(odd, 'dangling.kek'))
  const answer = await loadKeyEncryptionKeys(odd).catch((error: Error) => error)
  if (answer instanceof Error) return t.fail(`it threw instead: ${answer}`)
  for (const name of ['directory.kek', 'dangling.kek'])
    t.match(
      answer.faults.find(text => text.includes(join(odd, name))),
      join(odd, name),
    )
  return undefined
})

test('a key file whose owner alone may not read it is a fault that names it', async t => {
  const path = await folder(t)
  const locked = await put(path, 'locked.kek', newKey(), 0o000)
  // Root reads everything: ask as somebody else.
  const root = process.getuid?.() === 0
  if (root) execFileSync('chown', ['-R', '65534:65534', path])
  const program = `
    import { loadKeyEncryptionKeys } from ${JSON.stringify(new URL('dist/sealing/key-encryption-keys.js', rootUrl))}
    const show = async path => console.log(JSON.stringify((await loadKeyEncryptionKeys(path)).faults))
    if (${root}) { process.setgroups([]); process.setgid(65534); process.setuid(65534) }
    await show(${JSON.stringify(path)})
    await import('node:fs').then(({ chmodSync }) => chmodSync(${JSON.stringify(path)}, 0))
    await show(${JSON.stringify(path)})`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  })
  const [file, whole] = stdout.trim().split('\n')
  await chmod(path, 0o700)
  t.match(file, locked, `the unreadable file ${stderr}`)
  t.match(whole, path, `the unreadable folder ${stderr}`)
})

test('the newest key seals and the older ones still open', async t => {
  const path = await folder(t)
  await put(path, '2025-11.kek', newKey())
  const old = (await loadKeyEncryptionKeys(path)).keys.seal(plain, 'row')
  t.equal(old.kekId, '2025-11')
  await put(path, '2026-02.kek', newKey())
  await put(path, '2024-01.kek', newKey())
  const { keys } = await loadKeyEncryptionKeys(path)
  const young = keys.seal(plain, 'row')
  t.equal(young.kekId, '2026-02')
  t.strictSame(keys.open('2025-11', old.sealed, 'row'), plain)
  t.strictSame(keys.open('2026-02', young.sealed, 'row'), plain)
  t.throws(() => keys.open('2026-02', old.sealed, 'row'), { message: join(path, '2026-02.kek') })
  t.throws(() => keys.open('2025-11', old.sealed, 'another row'))
})

test('a key that is missing is named by its file, and none is made in its place', async t => {
  const path = await folder(t)
  await put(path, 'first.kek', newKey())
  const { keys } = await loadKeyEncryptionKeys(path)
  const { sealed } = keys.seal(plain, 'row')
  t.throws(() => keys.open('second', sealed, 'row'), { message: join(path, 'second.kek') })
  for (const id of ['', '__proto__', 'constructor', '../first']) {
    t.equal(keys.has(id), false)
    t.throws(() => keys.open(id, sealed, 'row'))
  }
  t.strictSame(await readdir(path), ['first.kek'])
})

test('the first key is made once, for its owner alone, however many make it', async t => {
  const path = join(await folder(t), 'deep', 'keys')
  await Promise.all(Array.from({ length: 10 }, () => makeFirstKey(path)))
  t.strictSame(await readdir(path), ['first.kek'], 'and nothing unfinished is left')
  t.equal((await stat(join(path, 'first.kek'))).mode & 0o777, 0o600)
  t.equal((await stat(path)).mode & 0o777, 0o700)
  const content = await readFile(join(path, 'first.kek'), 'utf8')
  t.equal(Buffer.from(content, 'base64').length, 32)
  await makeFirstKey(path)
  t.equal(await readFile(join(path, 'first.kek'), 'utf8'), content, 'a key that is there stays')
  const { keys, faults, warnings } = await loadKeyEncryptionKeys(path)
  t.strictSame([keys.size, faults, warnings], [1, [], []])

  const other = await folder(t)
  await makeFirstKey(other)
  t.not(await readFile(join(other, 'first.kek'), 'utf8'), content, 'no two are alike')
})
