// The rules a password is chosen by, and what its hash costs, keeps and gives away.
import { inspect } from 'node:util'
import t from 'tap'
import {
  type Argon2Parameters,
  createPasswordHasher,
  HashQueueFull,
  hashingWithin,
} from '../../src/accounts/password-hash.js'
import {
  createPasswordPolicy,
  type NormalisedPassword,
  readPassword,
} from '../../src/accounts/password-policy.js'

const product = 'Mintmark'
const policy = createPasswordPolicy({ product })
const lax = createPasswordPolicy({ minLength: 8, product })
/** Letters without a pattern, the same each time. */
const letters = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    String.fromCharCode(97 + ((i * i * 7 + i * 3 + (i >> 3)) % 26)),
  ).join('')
const read = (raw: string): NormalisedPassword => {
  const password = readPassword(raw)
  if (!password) throw new Error('not a readable password')
  return password
}
const same = (a: string, b: string) => read(a).utf8().equals(read(b).utf8())
const verdict = async (raw: string, by = policy, owner = {}) => {
  const said = await by.check(raw, owner)
  return said.ok ? 'ok' : said.reason
}

t.test('length is judged in code points, size in bytes', async t => {
  for (const [length, usual, lowest] of [
    [0, 'too_short', 'too_short'],
    [7, 'too_short', 'too_short'],
    [8, 'too_short', 'ok'],
    [14, 'too_short', 'ok'],
    [15, 'ok', 'ok'],
    [64, 'ok', 'ok'],
    [1024, 'ok', 'ok'],
    [1025, 'too_long', 'too_long'],
    [1_000_000, 'too_long', 'too_long'],
  ] as const) {
    t.equal(await verdict(letters(length)), usual, `${length} letters`)
    t.equal(await verdict(letters(length), lax), lowest, `${length} letters where 8 are enough`)
  }
  t.equal(await verdict('🦊🐙🌵🎻🪁🧭🍋'), 'too_short', 'seven emoji are 14 UTF-16 units and 7 characters')
  t.equal(await verdict(`${'é'.repeat(512)}a`), 'too_long', '1025 bytes in 513 characters')
  t.equal(await verdict('e\u0301àbcdéfxyzqwrt'), 'too_short', 'a combining accent is not a character more')
})

t.test('a least length under 8 or over 64 cannot be configured', async t => {
  for (const minLength of [7, 0, 65, 8.5, Number.NaN])
    t.throws(() => createPasswordPolicy({ minLength }), RangeError)
})

t.test('the NFC and NFD spellings of a password are the same password', async t => {
  t.ok(same('crème brûlée à la carte', 'cre\u0300me bru\u0302le\u0301e a\u0300 la carte'))
  t.ok(readPassword('e\u0301'.repeat(512)), '1024 bytes count after composition')
  t.notOk(same('ﬁne words ahead', 'fine words ahead'), 'compatibility characters are not folded')
})

t.test('nothing is trimmed, cut or ended by NUL', async t => {
  const long = letters(200)
  const changedAt = (byte: number) => `${long.slice(0, byte - 1)}#${long.slice(byte)}`
  t.notOk(same(long, changedAt(73)), 'byte 73 counts')
  t.notOk(same(long, changedAt(129)), 'byte 129 counts')
  t.notOk(same(long, `${long} `), 'a trailing space counts')
  t.notOk(same('one\0two', 'one\0three'), 'what follows NUL counts')
  t.equal(await verdict(`${letters(14)} `), 'ok', 'a space is a character')
  t.equal(await verdict(`${letters(7)}\0${letters(7)}`), 'ok')
})

t.test('a lone surrogate is refused, not replaced', async t => {
  t.equal(await verdict(`${letters(20)}\ud800`), 'malformed')
  t.equal(readPassword(`${letters(20)}\udc00`), undefined)
})

t.test('signing in asks for no policy, only for a size', async t => {
  t.ok(readPassword('short'))
  t.ok(readPassword(''))
  t.equal(readPassword('x'.repeat(1025)), undefined)
})

t.test('there are no composition rules', async t => {
  for (const raw of [
    'vortex lantern pebble',
    'yellow purple orange silver',
    '739105562840117',
    'ΩμέγαΚαιΆλφαΤέλος',
  ])
    t.equal(await verdict(raw), 'ok', raw)
  t.equal(await verdict('my mintmark is bigger than yours'), 'ok', 'a passphrase may hold a listed word')
  t.equal(await verdict('hello world 1234567'), 'ok', 'a row in something longer is no fault')
})

t.test('a blocklisted password is refused with its reason', async t => {
  const owner = { email: 'Jane.Doe@corp.example', name: 'Jane Élise Doe' }
  const table: [expected: RegExp, passwords: string[]][] = [
    [
      /that attackers try/,
      ['passwordpassword', 'PasswordPassword', 'password1234567', 'Sunshine-2024', 'trustno1', 'monkey!1'],
    ],
    [/that attackers try/, ['polniypizdec0211', 'liverpoolliverpool', 'iloveyou1234567890']],
    [
      /that attackers try/,
      ['thisismypassword', 'This is our password 2024!', 'welcome to my house', 'monkeydragonsunshine'],
    ],
    [
      /that attackers try/,
      ['correct horse battery staple', 'Correct-Horse-Battery-Staple1', 'MintmarkMonkey dragon'],
    ],
    [
      /pattern/,
      ['aaaaaaaaaaaaaaa', 'abcabcabcabcabc', 'xY7xY7xY7xY7xY7', '🦊'.repeat(15), '               '],
    ],
    [
      /pattern/,
      ['abcdefghijklmnop', 'zyxwvutsrqponml', '123456789012345', '0987654321098765', 'aaaaaaaabbbbbbbb'],
    ],
    [
      /pattern/,
      ['qwertyuiopasdfgh', 'QWERTZUIOPASDFG', 'azertyuiopqsdfg', '1qaz2wsx3edc4rfv', 'abcd1234qwerasdf'],
    ],
    [
      /name/,
      ['mintmarkmintmark', 'Mintmark-2024-01', '2024mintmark2024', 'M.i.n.t.m.a.r.k.!', 'janedoemintmark'],
    ],
    [
      /name/,
      [
        'jane.doe@corp.example',
        'Jane.Doe1234567!',
        'JaneDoeJaneDoe!',
        'jane élise doe',
        'Jane E\u0301lise 1999',
      ],
    ],
  ]
  for (const [expected, passwords] of table) {
    for (const raw of passwords) {
      const said = await lax.check(raw, owner)
      t.match(said, { ok: false, reason: 'blocklisted', detail: expected }, raw)
      if (!said.ok) t.notMatch(said.detail.toLowerCase(), raw.toLowerCase())
    }
  }
  t.equal(await verdict('jane.doe@corp.example'), 'ok', 'the same words belong to somebody else')
  const acme = createPasswordPolicy({ product: 'Acme Cloud' })
  t.equal(await verdict('acmecloud-2024-acme', acme), 'blocklisted', 'what the service is called counts')
  t.equal(await verdict('mintmark-2024-mint-mark', acme), 'ok', 'and not what another one is called')
  t.equal(
    await verdict('81930275 4416093', policy, { email: '81@corp.example' }),
    'ok',
    'two digits are no name',
  )
})

t.test('what is too large is refused before any rule reads it', async t => {
  for (const unit of ['a', '1', 'ab', '!1', 'e\u0301', '\u0345\u0301', '\ud800', 'qwerty', ' '])
    t.equal(await verdict(unit.repeat(50_000)), 'too_long', JSON.stringify(unit))
  const owner = { email: 'a.'.repeat(25_000), name: '-'.repeat(50_000) }
  t.equal(
    await verdict(`${'ab'.repeat(511)}z!`, policy, owner),
    'ok',
    'the longest password beside the longest name',
  )
})

t.test('a password cannot be logged or serialised', async t => {
  const password = read('vortex lantern pebble')
  const shown = [
    `${password}`,
    JSON.stringify({ password }),
    inspect({ password }, { showHidden: true, depth: 9 }),
  ]
  for (const text of shown) {
    t.match(text, '[redacted]')
    t.notMatch(text, 'lantern')
  }
  t.notMatch(JSON.stringify(structuredClone(Object.entries(password).map(String))), 'lantern')
})

const quick: Argon2Parameters = { memoryKib: 64, passes: 1, lanes: 1 }
const one = read('vortex lantern pebble')
const other = read('vortex lantern pebbles')

t.test('a hash is argon2id with its parameters and a salt of its own', async t => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 9 })
  const [first, second] = await Promise.all([hasher.hash(one), hasher.hash(one)])
  t.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  t.not(first.split('$')[4], second.split('$')[4])
  t.equal(await hasher.verify(first, one), 'match')
  t.equal(await hasher.verify(first, other), 'mismatch')
})

t.test('a right password under other parameters matches and says so', async t => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 9, parameters: quick })
  for (const changed of [{ memoryKib: 128 }, { passes: 2 }, { lanes: 2 }]) {
    const older = createPasswordHasher({
      concurrency: 1,
      queueLimit: 9,
      parameters: { ...quick, ...changed },
    })
    const stored = await older.hash(one)
    t.equal(await hasher.verify(stored, one), 'match-outdated-parameters', JSON.stringify(changed))
    t.equal(await hasher.verify(stored, other), 'mismatch')
  }
  // Made by another implementation: argon2i, password "password", from the reference code's own vectors.
  const argon2i = '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA'
  t.equal(await hasher.verify(argon2i, read('password')), 'match-outdated-parameters')
  t.equal(await hasher.verify(argon2i, other), 'mismatch')
})

t.test('nobody matches where there is no hash', async t => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 9, parameters: quick })
  for (const password of [one, read('')]) t.equal(await hasher.verify(undefined, password), 'mismatch')
})

t.test('a stored hash that asks for absurd work matches nobody and is not run', async t => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 9, parameters: quick })
  const tail = `${'A'.repeat(22)}$${'A'.repeat(43)}`
  for (const asked of ['m=4194304,t=2,p=1', 'm=65536,t=4294967295,p=1', 'm=65536,t=1,p=255'])
    t.equal(await hasher.verify(`$argon2id$v=19$${asked}$${tail}`, one), 'mismatch', asked)
  const parameters = { memoryKib: 4_194_304, passes: 1, lanes: 1 }
  t.throws(
    () => createPasswordHasher({ concurrency: 1, queueLimit: 0, parameters: { ...quick, lanes: 17 } }),
    RangeError,
  )
  t.throws(
    () => createPasswordHasher({ concurrency: 1, queueLimit: 0, parameters }),
    RangeError,
    'before running it',
  )
})

t.test('a stored hash that is none is an error that does not repeat it, and takes no place', async t => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 0, parameters: quick })
  const good = await hasher.hash(one)
  const bcrypt = `$2b$10$${'a'.repeat(53)}`
  for (const phc of [
    '',
    'secret-of-old',
    good.slice(0, -2),
    `${good}$x`,
    bcrypt,
    good.replace('t=1', 't=0'),
  ]) {
    const failure: Error = await hasher.verify(phc, one).then(
      () => t.fail('verified'),
      reason => reason,
    )
    t.match(failure.message, 'not an argon2 PHC string')
    t.notMatch(inspect(failure), phc || 'nothing')
  }
  t.equal(await hasher.verify(good, one), 'match')
})

t.test(
  'no more hashes run than there are places, the others wait in order, one too many is refused',
  async t => {
    const concurrency = 2
    const queueLimit = 6
    const hasher = createPasswordHasher({ concurrency, queueLimit, parameters: quick })
    let outstanding = 0
    const begin = (work: () => Promise<unknown>) => {
      outstanding++
      return work().finally(() => {
        outstanding--
        // What was begun and neither waits nor is done is in flight.
        t.ok(outstanding - hasher.queued() <= concurrency)
      })
    }
    const stored = await hasher.hash(one)
    const jobs = Array.from({ length: concurrency + queueLimit }, (_, i) =>
      begin(() => (i % 2 ? hasher.verify(i % 4 === 1 ? stored : undefined, other) : hasher.hash(one))),
    )
    t.equal(outstanding - hasher.queued(), concurrency)
    t.equal(hasher.queued(), queueLimit)
    await t.rejects(hasher.hash(one), HashQueueFull)
    await t.rejects(hasher.verify(undefined, one), HashQueueFull)
    await t.rejects(hasher.verify(stored, one), HashQueueFull)
    await Promise.all(jobs)
    t.equal(hasher.queued(), 0)
    t.equal(await hasher.verify(stored, one), 'match', 'places are free again')

    const single = createPasswordHasher({ concurrency: 1, queueLimit: 20, parameters: quick })
    const order: number[] = []
    await Promise.all(Array.from({ length: 20 }, (_, i) => single.hash(one).then(() => order.push(i))))
    t.same(
      order,
      [...order].sort((a, b) => a - b),
    )
  },
)

t.test(
  'stored hashes that want more memory than is free wait for it, and one that wants more than all is not run',
  async t => {
    const stored = async (memoryKib: number) =>
      createPasswordHasher({ concurrency: 1, queueLimit: 0, parameters: { ...quick, memoryKib } }).hash(one)
    const [large, tooLarge] = [await stored(400), await stored(513)]
    const limits = { concurrency: 8, memoryKib: 512, queueLimit: 9 }
    const hasher = createPasswordHasher({ ...limits, parameters: quick })
    const first = hasher.verify(large, one)
    const beside = hasher.hash(one)
    t.equal(hasher.queued(), 0, 'a small one has room beside it')
    const second = hasher.verify(large, one)
    const behind = hasher.hash(one)
    t.equal(hasher.queued(), 2, 'a large one has not, and nobody passes it')
    t.equal(await first, 'match-outdated-parameters')
    t.equal(await second, 'match-outdated-parameters')
    await Promise.all([beside, behind])
    t.equal(hasher.queued(), 0)
    t.equal(await hasher.verify(tooLarge, one), 'mismatch')
    t.throws(() => createPasswordHasher({ ...limits, memoryKib: 63, parameters: quick }), RangeError)
  },
)

t.test('so many hashes run at once as leave a processor and enough memory, and at least one', t => {
  const MiB = 2 ** 20
  const within = (memoryMib: number, processors: number) =>
    hashingWithin({ memoryBytes: memoryMib * MiB, processors }).concurrency
  t.equal(within(512, 64), 8, 'the limit of the example, on a large host')
  t.equal(within(256, 64), 2)
  t.equal(within(65_536, 16), 15)
  t.equal(within(65_536, 2), 1)
  t.equal(within(65_536, 1.5), 1)
  t.equal(within(65_536, 0.25), 1)
  t.equal(within(32, 64), 1)
  for (const memoryMib of [32, 64, 128, 256, 512, 2048])
    for (const processors of [0.5, 1, 4, 64]) {
      const limits = hashingWithin({ memoryBytes: memoryMib * MiB, processors })
      createPasswordHasher({ ...limits, queueLimit: 0 })
      const least = 31 * 1024
      const most = Math.max(least, Math.min(memoryMib / 2, memoryMib - 192) * 1024)
      t.ok(limits.memoryKib + limits.concurrency * 12 * 1024 <= most, `${memoryMib} MiB, ${processors}`)
    }
  t.end()
})

t.test('a hundred sign-ins at once are answered or refused, none lost', async t => {
  const hasher = createPasswordHasher({ concurrency: 3, queueLimit: 40, parameters: quick })
  const stored = await hasher.hash(one)
  const settled = await Promise.allSettled(Array.from({ length: 100 }, () => hasher.verify(stored, one)))
  const refused = settled.filter(s => s.status === 'rejected' && s.reason instanceof HashQueueFull)
  t.equal(settled.filter(s => s.status === 'fulfilled' && s.value === 'match').length, 43)
  t.equal(refused.length, 57)
})

t.test('a hasher without a worker or with half a place in the queue cannot be made', async t => {
  for (const [concurrency, queueLimit] of [
    [0, 1],
    [1.5, 1],
    [1, -1],
    [1, Number.NaN],
  ] as const)
    t.throws(() => createPasswordHasher({ concurrency, queueLimit, parameters: quick }), RangeError)
})
