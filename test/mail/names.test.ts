/** What customers and strangers have written, in every mail that repeats it: never in a subject, never a link. */
import { simpleParser } from 'mailparser'
import { test } from 'tap'
import type { Mail } from '../../src/core/mail.js'
import { plainAddress, plainName } from '../../src/mail/plain.js'
import { mailerTo, mailReceiver, type ReceivedMail } from '../support/mail-receiver.js'

const link = 'https://id.example.com/invitations/accept#token=THE-TOKEN'

/** Names that would lead elsewhere, or pass for our own words. */
const hostile = [
  ...['https://evil.example/login', 'http://evil.example', 'HTTPS://EVIL.EXAMPLE', 'ftp://evil.example'],
  ...[
    'www.evil.example',
    'evil.example',
    'evil.com',
    'EVIL.COM',
    'sign-in.evil.co.uk/x?y=z#a',
    '//evil.com/x',
  ],
  ...['evil.com:8443', '203.0.113.7', 'http://203.0.113.7/', 'http://[2001:db8::1]/', 'localhost:4000/x'],
  ...['me@evil.example', 'mailto:me@evil.example', 'tel:+18005550199', '+1 800 555 0199', '1-800-555-0199'],
  ...[
    'evil。com',
    'evil．com',
    'evil｡com',
    'evil․com',
    'evil﹒com',
    'evilꓸcom',
    'ｅｖｉｌ．ｃｏｍ',
    'еvil.com',
    'xn--vil-9cd.com',
  ],
  ...[
    'evil\u200b.com',
    'evil.\u200bcom',
    'evil\u00ad.com',
    'evil.\u2060com',
    '\u202emoc.live',
    'evil\u2024com',
  ],
  ...[
    'evil..com',
    'evil. com/x',
    'evil .com',
    '.com',
    'a.b',
    'a...b',
    'evil.\u00a0com',
    'evil[.]com',
    'evil(.)com',
  ],
  ...[
    '<a href="https://evil.example">x</a>',
    '[x](https://evil.example)',
    '&#104;ttps://evil.example',
    'javascript:alert(1)',
  ],
  ...[
    '”. Open https://evil.example “',
    '” at Mintmark. “',
    'Acme”\n\nhttps://evil.example',
    'Acme\u2028https://evil.example',
  ],
  ...[
    '@evil',
    '#evil',
    'slack://x',
    'evil.example\u0000',
    '\ud83d\ude00',
    '...',
    '',
    ' ',
    `${'evil.com '.repeat(11)}`,
  ],
]

/** Nobody else's words: what our own mail consists of, with a name in it that nothing could be said against. */
const harmless = 'Zebra'

/** Every kind of mail, with this text wherever somebody else may have written it. */
function mails(text: string): Record<Mail['kind'], readonly Mail[]> {
  const to = 'ada@example.com'
  const resetPage = 'https://id.example.com/password/forgot'
  const page = 'https://id.example.com/second-factors'
  const invitation = { kind: 'invitation', to, link, tenant: text, validDays: 7 } as const
  // Many people's addresses begin with a long number, and have to be told apart by it.
  const account = `${text.replace(/[^A-Za-z_.+/=?{}-]/g, '') || 'x'}@${/^[\w.-]+\.[a-z]+$/i.test(text) ? text : 'evil.example'}`
  return {
    'sign-up': [{ kind: 'sign-up', to, link, validMinutes: 30 }],
    'already-registered': [{ kind: 'already-registered', to, resetPage }],
    'password-reset': [{ kind: 'password-reset', to, link, validMinutes: 30 }],
    welcome: [{ kind: 'welcome', to, link, validDays: 7, resetPage }],
    'password-changed': [{ kind: 'password-changed', to }],
    // The provider's name is an operator's.
    'identity-linked': [{ kind: 'identity-linked', to, provider: 'Acme' }],
    'account-reclaimed': [
      { kind: 'account-reclaimed', to, password: true, factors: true, providers: ['Acme'] },
    ],
    'factor-added': [{ kind: 'factor-added', to, name: text }],
    'factor-removed': [{ kind: 'factor-removed', to, name: text, last: true }],
    'recovery-codes-replaced': [{ kind: 'recovery-codes-replaced', to }],
    'recovery-code-used': [{ kind: 'recovery-code-used', to, left: 1 }],
    'factors-reset-requested': [{ kind: 'factors-reset-requested', to, dueAt: 1_900_000_000, page }],
    'factors-reset': [{ kind: 'factors-reset', to }],
    'factors-reset-stopped': [{ kind: 'factors-reset-stopped', to }],
    'identity-unlinked': [{ kind: 'identity-unlinked', to, provider: 'Acme' }],
    invitation: [
      { ...invitation, inviter: { account } },
      { ...invitation, inviter: { serviceKey: text } },
      { ...invitation, inviter: undefined },
    ],
  }
}

const own = [link, 'https://id.example.com/password/forgot', 'https://id.example.com/second-factors']

const telephone = /(\p{Nd}[\s().-]*){7,}/u
/** Of whatever top-level domain, and with what passes for a dot. */
const domain = /\S[.․。．｡﹒ꓸ]\p{L}\S*/u
const address = /\S*(@|:\/\/|www\.|\/\/)\S*/u

/** What a mail program makes a link of in a text: as mailparser does, which has a list of the domains that there are, and more. */
async function linksIn(all: string): Promise<string[]> {
  const text = own.reduce((rest, ours) => rest.replaceAll(ours, ''), all)
  const { textAsHtml } = await simpleParser(`Content-Type: text/plain; charset=utf-8\r\n\r\n${text}`)
  const made = [...(textAsHtml ?? '').matchAll(/<a href="([^"]*)"/g)].map(match => match[1] ?? '')
  return [...made, ...[telephone, domain, address].flatMap(form => form.exec(text)?.slice(0, 1) ?? [])]
}

/** The visible words of the HTML part, and where its anchors lead. */
function read({ html, text = '' }: ReceivedMail) {
  const body = String(html)
  const anchors = [...body.matchAll(/<a href="([^"]*)"/g)].map(match => match[1])
  const shown = body
    .replace(/<[^>]*>/g, '\n')
    .replace(/&#(\d+);/g, (_all, code) => String.fromCodePoint(Number(code)))
  return { anchors, shown, text }
}

test('no name makes a link, a subject or a paragraph of its own, in any mail', async t => {
  const receiver = await mailReceiver(t)
  const mailer = mailerTo(t, receiver)
  const sent = async (mail: Mail) => {
    await mailer.send(mail)
    return receiver.received.at(-1) as ReceivedMail
  }
  const variants = (text: string) => Object.values(mails(text)).flat()
  for (const name of hostile) {
    // As ASCII: to a reader of TAP some of them are more than a name.
    const what = encodeURIComponent(name.toWellFormed())
    for (const [index, mail] of variants(name).entries()) {
      const same = variants(harmless)[index] as Mail
      // A kind of mail in which nobody else's words are.
      if (JSON.stringify(mail) === JSON.stringify(same)) continue
      const [plain, got] = [await sent(same), await sent(mail)]
      t.equal(got.subject, plain.subject, `${what}: the subject is ours`)
      const [wanted, found] = [read(plain), read(got)]
      t.same(found.anchors, wanted.anchors, 'one link, and it is ours')
      t.same(await linksIn(found.text), [], `${what} as text`)
      t.same(await linksIn(found.shown), [], `${what} as HTML`)
      t.equal(found.text.split('\n').length, wanted.text.split('\n').length, 'no line is theirs')
      t.equal(found.text.split('”').length, wanted.text.split('”').length, 'and no quotation mark')
    }
  }
})

test('our own mails have no other link than the one that they are about', async t => {
  const receiver = await mailReceiver(t)
  const mailer = mailerTo(t, receiver)
  for (const [kind, variants] of Object.entries(mails(harmless))) {
    for (const mail of variants) {
      await mailer.send(mail)
      const { text, anchors } = read(receiver.received.at(-1) as ReceivedMail)
      t.same(await linksIn(text), [], kind)
      t.ok(anchors.every(address => own.includes(String(address))))
    }
  }
})

test('names that people have stay what they are', t => {
  for (const name of [
    ...['Acme', 'Acme Inc.', 'St. Mary’s School', 'Müller & Söhne GmbH', 'O’Neil, Smith (London)', "L'Oréal"],
    ...[
      '北京大学',
      'Ελληνική Εταιρεία',
      'שלום',
      'شركة',
      'राम',
      'ทีม',
      'ローマ',
      'Studio 54',
      'Team 2026',
      'x-y',
      'Anna B.',
    ],
  ])
    t.equal(plainName(name), name)
  t.equal(plainName('Acme  \t Ltd'), 'Acme Ltd')
  t.equal(plainName('🦊'), '(no name)')
  t.equal([...plainName('n'.repeat(100))].length, 61)
  t.equal(plainAddress('ada.b@id.example.com'), 'ada (dot) b (at) id (dot) example (dot) com')
  t.end()
})
