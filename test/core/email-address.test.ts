// One reading of e-mail addresses: which spellings are one account, and which are none.
import t from 'tap'
import { parseEmailAddress } from '../../src/core/email-address.js'

const canonical = (raw: string) => {
  const parsed = parseEmailAddress(raw)
  return parsed.ok ? parsed.address.canonical : `refused: ${parsed.reason}`
}
const of = (count: number, letter = 'a') => letter.repeat(count)

t.test('spellings of one address are one account', async t => {
  for (const [expected, ...spellings] of [
    ['jane@example.com', 'jane@example.com', 'Jane@Example.COM', 'JANE@EXAMPLE.COM'],
    ['jane@xn--bcher-kva.example', 'jane@bücher.example', 'jane@BÜCHER.example', 'jane@bu\u0308cher.example'],
    ['jane@xn--bcher-kva.example', 'jane@xn--bcher-kva.example', 'Jane@XN--BCHER-KVA.Example'],
    ['jane@xn--fa-hia.example', 'jane@faß.example'],
    ['jane@xn--wgv71a119e.jp', 'jane@日本語.jp'],
    ['jane@xn--e1afmkfd.xn--p1ai', 'jane@пример.рф', 'jane@ПРИМЕР.РФ'],
  ] as const) {
    for (const spelling of spellings) t.equal(canonical(spelling), expected, spelling)
  }
})

t.test('what a provider may fold is kept apart', async t => {
  const spellings = [
    'jane@example.com',
    'jane+shop@example.com',
    'j.ane@example.com',
    'jane@mail.example.com',
  ]
  t.equal(new Set(spellings.map(canonical)).size, spellings.length)
})

t.test('an address is kept as typed beside its canonical form', async t => {
  t.same(parseEmailAddress('Jane+Tag@Bücher.example'), {
    ok: true,
    address: { asTyped: 'Jane+Tag@Bücher.example', canonical: 'jane+tag@xn--bcher-kva.example' },
  })
})

t.test('a canonical address is its own canonical form', async t => {
  for (const raw of [
    "o'neil@example.com",
    '!#$%&*+/=?^_`{|}~-@example.com',
    'J@ÉCOLE.example',
    'a@1.example',
    '0@x.y',
  ])
    t.equal(canonical(canonical(raw)), canonical(raw), canonical(raw))
})

t.test('lengths are bounded in bytes, at their limits', async t => {
  const domain = (length: number) => `${of(63)}.${of(63)}.${of(63)}.${of(length - 192)}`
  for (const [raw, refusal] of [
    [`${of(64)}@example.com`, ''],
    [`${of(65)}@example.com`, 'too_long'],
    [`a@${of(63)}.com`, ''],
    [`a@${of(64)}.com`, 'domain'],
    [`a@${domain(252)}`, ''],
    [`a@${domain(253)}`, 'too_long'],
    [`a@${of(62, 'é')}.com`, 'domain'],
    [`a@${Array.from({ length: 6 }, () => `${of(20, '語')}é`).join('.')}.${of(60)}.${of(60)}`, 'too_long'],
  ] as const) {
    t.equal(canonical(raw).startsWith('refused'), refusal !== '', raw)
    if (refusal) t.equal(canonical(raw), `refused: ${refusal}`)
  }
})

/** FD-25: the same table holds for what a person types and for what an identity provider asserts. */
const refusals: Record<string, string[]> = {
  not_one_at: ['', 'jane', 'jane.example.com', 'a@b@example.com', 'a@example.com@evil.example'],
  forbidden_character: [
    ' jane@example.com',
    'jane@example.com ',
    'jane@example.com\n',
    'jane@example.com\r\nBcc: x@evil.example',
    'jane\0@example.com',
    'ja\tne@example.com',
    'jane@exam\u00a0ple.com',
    'jane@example.com,eve@evil.example',
    'a@x,b@y',
    'jane@example.com;eve@evil.example',
    'ja\u200bne@example.com',
    'jane@exam\u00adple.com',
    'jane@exam\u200dple.com',
    '\u202ejane@example.com',
    '\ufeffjane@example.com',
    'jane@example.com\ud800',
  ],
  look_alike: [
    'jane\uff20example.com',
    'jane\uff20evil.example@example.com',
    'ｊane@example.com',
    'jane@ｅxample.com',
    'jane@example\uff0ecom',
    'jane@exa\u2100mple.com',
    'o\ufb03ce@example.com',
    'jane@①.example',
    '\u212aate@example.com',
    'jane@\u212aiosk.example',
    'jane\u1fef@example.com',
    'jane@\u0430pple.com',
    'jane@xn--pple-43d.com',
    'jane@g\u03bfogle.com',
  ],
  non_ascii_local_part: [
    'j\u0430ne@example.com',
    'jané@example.com',
    '用户@example.com',
    'jan\u0131@example.com',
  ],
  local_part: [
    '@example.com',
    '.jane@example.com',
    'jane.@example.com',
    'ja..ne@example.com',
    '"jane"@example.com',
    '"jane.doe"@example.com',
    'jane(comment)@example.com',
    '<jane@example.com',
    'ja\\ne@example.com',
    'mailto:jane@example.com',
    'ja[ne]@example.com',
  ],
  domain: [
    'jane@',
    'jane@localhost',
    'jane@example',
    'jane@.example.com',
    'jane@example.com.',
    'jane@example..com',
    'jane@-example.com',
    'jane@example-.com',
    'jane@exam_ple.com',
    'jane@[127.0.0.1]',
    'jane@[IPv6:::1]',
    'jane@127.0.0.1',
    'jane@0x7f.1',
    'jane@1.2',
    'jane@example.com:25',
    'jane@example.com/x',
    'jane@exam%70le.com',
    'jane@example.com(comment)',
    'jane@example.com>',
    'jane@example\u3002com',
    'jane@exam\ufe0fple.com',
    'jane@xn--a.com',
    'jane@xn--.com',
  ],
  too_long: [
    `${of(50_000)}@example.com`,
    `a@${'a.'.repeat(25_000)}com`,
    '@'.repeat(50_000),
    '\ud800'.repeat(50_000),
  ],
}

for (const [reason, addresses] of Object.entries(refusals)) {
  t.test(`an address that is refused as ${reason} is neither mapped nor repaired`, async t => {
    for (const raw of addresses)
      t.equal(canonical(raw), `refused: ${reason}`, JSON.stringify(raw.slice(0, 60)))
  })
}

t.test('no character outside ASCII is taken for one inside it, in all of Unicode', async t => {
  const through: string[] = []
  for (let point = 0x80; point <= 0x10ffff; point++) {
    const character = String.fromCodePoint(point)
    const said = canonical(`jane@ex${character}ample.com`)
    if (!said.startsWith('refused') && !/^jane@xn--[a-z0-9-]+\.com$/.test(said)) through.push(character)
    if (!canonical(`ja${character}ne@example.com`).startsWith('refused')) through.push(character)
  }
  t.same(through, [])
})
