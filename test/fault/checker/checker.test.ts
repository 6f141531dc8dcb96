/** The checker on histories written by hand: each rule finds what breaks it, and nothing in what merely looks like it. */
import { type Test, test } from 'tap'
import type { Entry, Facts, FeedFacts, Op, Outcome, TokenFacts } from '../history.js'
import { check } from './checker.js'

interface More extends Facts {
  readonly session?: string
  readonly credential?: string
  readonly target?: string
  readonly user?: string
  readonly outcome?: Outcome
  readonly code?: string
}

/** Between `start` and `end`; by session `s` of user `u` unless said otherwise. */
function at(start: number, end: number, op: Op, more: More = {}): Entry {
  const { session, credential, target, user = 'u', code, outcome = code ? 'refused' : 'ok', ...facts } = more
  return {
    client: 'c',
    op,
    start,
    end,
    outcome,
    user,
    facts,
    ...(code !== undefined && { code }),
    ...(session !== undefined && { session, credential: credential ?? `${session}#0` }),
    ...(target !== undefined && { target }),
  }
}

const s = { session: 's' }
const opened = at(0, 1, 'sign-in', { opened: 's', password: 'p' })
const other = at(0, 1, 'sign-in', { opened: 'o', password: 'p' })
const gone = { code: 'unauthenticated' }

const rules = (entries: Entry[], living?: string[]) => [
  ...new Set(check(entries, living && new Set(living)).map(({ rule }) => rule)),
]

function both(t: Test, what: string, broken: [string, Entry[], string[]?], kept: [Entry[], string[]?]) {
  t.same(rules(broken[1], broken[2]), [broken[0]], `${what}: found`)
  t.same(rules(...kept), [], `${what}: not found in what is allowed`)
}

test('an accept that begins after the confirmed end of its session', async t => {
  const ends: [string, Entry][] = [
    ['sign-out', at(10, 20, 'sign-out', s)],
    ['end one', at(10, 20, 'end-one', { session: 'o', target: 's' })],
    ['end others', at(10, 20, 'end-others', { session: 'o' })],
    ['end all', at(10, 20, 'end-all', { session: 'o' })],
    [
      'a change of password',
      at(10, 20, 'change-password', { session: 'o', password: 'p', newPassword: 'q' }),
    ],
    ['sign-in over it', at(10, 20, 'sign-in', { ...s, opened: 'n' })],
    ['operator, one', at(10, 20, 'operator ends one', { target: 's' })],
    ['operator, all of a user', at(10, 20, 'operator ends all of a user')],
    ['operator, all', at(10, 20, 'operator ends all there are', { user: 'somebody' })],
    ['operator, disables', at(10, 20, 'operator disables')],
  ]
  for (const [what, end] of ends) {
    both(
      t,
      what,
      ['late accept', [opened, other, end, at(21, 22, 'check', s)]],
      [[opened, other, end, at(19, 22, 'check', s), at(21, 22, 'check', { ...s, ...gone })]],
    )
    const unknown = { ...end, outcome: 'unknown' as const }
    t.same(rules([opened, other, unknown, at(21, 22, 'mint', s)]), [], `${what}: unknown is no end`)
  }
})

test('whoever is spared, or came later, lives', async t => {
  const own = at(10, 20, 'end-others', s)
  t.same(rules([opened, own, at(21, 22, 'check', s)]), [], 'its own session')
  const late = at(15, 16, 'sign-in', { opened: 'l' })
  t.same(rules([opened, own, late, at(21, 22, 'check', { session: 'l' })]), [], 'opened meanwhile')
  const twice = [own, at(12, 30, 'end-others', { session: 'o' })]
  both(
    t,
    'the second of two',
    ['late accept', [opened, other, ...twice, at(31, 32, 'check', s)]],
    [[opened, other, ...twice, at(25, 32, 'check', s)]],
  )
  const stranger = at(10, 20, 'end-all', { user: 'v', session: 'x' })
  t.same(rules([opened, stranger, at(21, 22, 'check', s)]), [], 'those of another person')
})

test('a sign-out with a secret that may be two renewals old ends nothing', async t => {
  const renewals = [
    at(2, 3, 'step-up', { ...s, renewed: 's#1' }),
    at(4, 5, 'step-up', { ...s, credential: 's#1', renewed: 's#2' }),
  ]
  const now = { ...s, credential: 's#2' }
  t.same(rules([opened, ...renewals, at(6, 7, 'sign-out', s), at(8, 9, 'check', now)]), [])
  const recent = at(6, 7, 'sign-out', { ...s, credential: 's#1' })
  t.same(rules([opened, ...renewals, recent, at(8, 9, 'check', now)]), ['late accept'])
})

test('an accept after anyone saw the session gone', async t => {
  const end = at(2, 3, 'sign-out', { ...s, outcome: 'unknown' })
  both(
    t,
    'gone',
    ['accept after gone', [opened, end, at(4, 5, 'check', { ...s, ...gone }), at(6, 7, 'check', s)]],
    [[opened, end, at(4, 5, 'check', { ...s, code: 'session_superseded' }), at(6, 7, 'check', s)]],
  )
})

test('a refusal that nothing explains: an outage is no 401', async t => {
  const refused = at(4, 5, 'check', { ...s, ...gone })
  both(
    t,
    'a session',
    ['refused without cause', [opened, refused]],
    [[opened, at(2, 9, 'end-all', { session: 'o', outcome: 'unknown' }), refused]],
  )
  const signIn = at(4, 5, 'sign-in', { password: 'p', code: 'invalid_credentials' })
  both(
    t,
    'a sign-in',
    ['refused without cause', [opened, signIn]],
    [[opened, at(2, 9, 'operator disables', { outcome: 'unknown' }), signIn]],
  )
  const changed = at(2, 9, 'change-password', { ...s, password: 'p', newPassword: 'q', outcome: 'unknown' })
  t.same(rules([opened, changed, signIn]), [], 'the password may have been changed')
  t.same(rules([at(4, 5, 'sign-in', { password: 'z', code: 'invalid_credentials' })]), [], 'nobody set it')
})

test('a secret that was replaced', async t => {
  const renewal = at(2, 3, 'step-up', { ...s, renewed: 's#1' })
  both(
    t,
    'superseded',
    ['superseded secret', [opened, renewal, at(4, 5, 'mint', s)]],
    [[opened, renewal, at(3, 5, 'mint', s), at(4, 5, 'mint', { ...s, credential: 's#1' })]],
  )
})

test('a session that an old password opened', async t => {
  const change = at(10, 20, 'change-password', { session: 'o', password: 'p', newPassword: 'q' })
  const during = (password: string) => at(15, 30, 'sign-in', { opened: 'n', password })
  both(
    t,
    'opened while it was changed',
    ['late accept', [other, change, during('p'), at(31, 32, 'check', { session: 'n' })]],
    [[other, change, during('q'), at(31, 32, 'check', { session: 'n' })]],
  )
  t.same(rules([other, change, at(21, 22, 'sign-in', { opened: 'n', password: 'p' })]), ['late accept'])
  const next = at(22, 23, 'change-password', {
    session: 'o',
    credential: 'o#1',
    password: 'q',
    newPassword: 'r',
  })
  t.same(rules([other, change, next, during('p'), at(31, 32, 'check', { session: 'n' })]), ['late accept'])
})

test('a disabled person, and one who is enabled again', async t => {
  const disable = at(10, 20, 'operator disables')
  const enable = at(30, 40, 'operator enables')
  const meanwhile = at(15, 25, 'sign-in', { opened: 'n', password: 'p' })
  const afterwards = at(35, 45, 'sign-in', { opened: 'n', password: 'p' })
  const accepted = at(50, 51, 'check', { session: 'n' })
  t.same(rules([disable, at(21, 22, 'sign-in', { opened: 'n' })]), ['late accept'], 'signs in while disabled')
  both(
    t,
    'resurrected',
    ['late accept', [disable, meanwhile, enable, accepted]],
    [[disable, enable, afterwards, accepted]],
  )
})

test('roles of before a confirmed change', async t => {
  const change = (start: number, end: number, version: number, suspends = false) =>
    at(start, end, 'operator changes a membership', { membership: 'm', version, suspends })
  const seen = (start: number, end: number, version: number | 'lost') =>
    at(start, end, 'mint', {
      ...s,
      membership: 'm',
      version,
      ...(version === 'lost' && { code: 'tenant_forbidden' }),
    })
  both(
    t,
    'stale',
    ['roles of before', [opened, change(2, 3, 1), seen(4, 5, 0)]],
    [[opened, change(2, 3, 1), seen(3, 5, 0), seen(4, 5, 1), change(4, 6, 2), seen(5, 6, 2)]],
  )
  both(
    t,
    'suspended',
    ['roles of before', [opened, change(2, 3, 1, true), seen(4, 5, 0)]],
    [[opened, change(2, 3, 1, true), seen(4, 5, 'lost')]],
  )
  both(
    t,
    'lost',
    ['a membership refused without cause', [opened, change(2, 3, 1), seen(4, 5, 'lost')]],
    [[opened, change(2, 3, 1), change(4, 6, 2, true), seen(4, 5, 'lost')]],
  )
})

test('an end that the primary does not know, and the living who are not accepted again', async t => {
  const end = at(2, 3, 'sign-out', s)
  both(
    t,
    'unknown to the primary',
    ['an end that the primary does not know', [opened, end], ['s']],
    [[opened, { ...end, outcome: 'unknown' }], ['s']],
  )
  const healed = at(9, 10, 'healed', { ...s, outcome: 'unknown' })
  both(t, 'not healed', ['not healed', [opened, healed], ['s']], [[opened, end, healed], []])
})

test('data of another, and an answer that nobody may see', async t => {
  both(
    t,
    'foreign',
    ['data of another', [opened, at(2, 3, 'check', { ...s, sid: 's', sub: 'v' })]],
    [[opened, at(2, 3, 'check', { ...s, sid: 's', sub: 'u' })]],
  )
  t.same(rules([opened, at(2, 3, 'check', { ...s, sid: 'x', sub: 'u' })]), ['data of another'])
  t.same(rules([{ ...at(2, 3, 'check', { ...s, outcome: 'unknown' }), status: 500 }]), ['unexpected answer'])
})

/** At a verifier that is connected, fresh up to 10 ms before, and was answered lately; of a token of 5 ms. */
function verify(
  start: number,
  more: More = {},
  feed: Partial<Record<keyof FeedFacts, unknown>> = {},
  token: Partial<TokenFacts> = {},
): Entry {
  const usual = {
    mode: 'required',
    mostAge: 15_000,
    knows: start - 10,
    connectedSince: 0,
    askedAt: start - 10,
  }
  return at(start, start + 1, 'verify', {
    ...s,
    ...more,
    feed: { ...usual, ...feed } as FeedFacts,
    token: { mintedAt: 5, ...token },
  })
}
/** It lags behind as far as is promised: nothing came since. */
const quiet = { knows: 0 }
const stale = { code: 'stale_token' }

test('a verifier that is connected, and accepts what was revoked more than a second ago', async t => {
  const out = at(10, 20, 'sign-out', s)
  const causes: [string, Entry][] = [
    ['a sign-out', out],
    ['all of a user', at(10, 20, 'end-all', { session: 'o' })],
    ['a disabled person', at(10, 20, 'operator disables')],
    ['all there are', at(10, 20, 'operator ends all there are')],
  ]
  for (const [what, cause] of causes) {
    both(
      t,
      what,
      ['late accept at a verifier', [opened, cause, verify(1021, {}, quiet)]],
      [[opened, cause, verify(1019, {}, quiet), verify(1021, stale), verify(3000, stale)]],
    )
    const unknown = { ...cause, outcome: 'unknown' as const }
    t.same(
      rules([opened, unknown, verify(1021, {}, quiet), verify(1022, stale)]),
      [],
      `${what}: not confirmed`,
    )
  }
  t.same(
    rules([opened, other, out, verify(1500, { session: 'o' }, quiet)]),
    [],
    'the session of another goes on',
  )
  t.same(
    rules([opened, out, verify(1021, {}, { ...quiet, connectedSince: undefined })]),
    [],
    'cut off, and within its age',
  )
  both(
    t,
    'connected again',
    ['late accept at a verifier', [opened, out, verify(3021, {}, { ...quiet, connectedSince: 2020 })]],
    [[opened, out, verify(3019, {}, { ...quiet, connectedSince: 2020 })]],
  )
  const unfresh = { knows: undefined, mode: 'preferred' }
  t.same(rules([opened, out, verify(1021, {}, unfresh)]), [], '`preferred` says that it is not fresh')
})

test('a verifier that says it has every revocation, and lacks one', async t => {
  const out = at(10, 20, 'sign-out', s)
  const cut = { connectedSince: undefined }
  both(
    t,
    'it was asked for after the return',
    ['late accept at a verifier', [opened, out, verify(50, {}, { ...cut, knows: 25 })]],
    [[opened, out, verify(50, {}, { ...cut, knows: 15 })]],
  )
})

test('a token with the roles of before, at a verifier', async t => {
  const change = (start: number, version: number, outcome: Outcome = 'ok') =>
    at(start, start + 5, 'operator changes a membership', { membership: 'm', version, outcome })
  const of = { membership: 'm', version: 0 }
  both(
    t,
    'a role less',
    ['late accept at a verifier', [opened, change(10, 1), verify(1100, {}, quiet, of)]],
    [[opened, change(10, 1), verify(1100, {}, quiet, { mintedAt: 20, membership: 'm', version: 1 })]],
  )
  const elsewhere = verify(1100, {}, quiet, { membership: 'n', version: 0 })
  t.same(rules([opened, change(10, 1), elsewhere]), [], 'the membership of another')
  t.same(rules([opened, change(10, 1, 'unknown'), verify(1100, {}, quiet, of)]), [], 'not confirmed')
})

test('a token that is refused as stale, and was minted after every change that concerns it', async t => {
  const causes: [string, Entry][] = [
    ['all of a user', at(10, 20, 'end-others', { session: 'o' })],
    ['a renewed secret', at(10, 20, 'step-up', s)],
    ['all there are', at(10, 20, 'operator ends all there are', { outcome: 'unknown', code: 'x' })],
  ]
  for (const [what, cause] of causes) {
    const confirmed = { ...cause, outcome: 'ok' as const }
    both(
      t,
      what,
      ['stale without cause', [opened, confirmed, verify(30, stale, {}, { mintedAt: 21 })]],
      [[opened, confirmed, verify(30, stale, {}, { mintedAt: 19 })]],
    )
    const unknown = { ...cause, outcome: 'unknown' as const }
    t.same(
      rules([opened, unknown, verify(30, stale, {}, { mintedAt: 21 })]),
      [],
      `${what}: it may come later`,
    )
    t.same(rules([opened, { ...cause, outcome: 'refused' as const }, verify(30, stale)]), [
      'stale without cause',
    ])
  }
  const change = at(10, 15, 'operator changes a membership', { membership: 'm', version: 1 })
  both(
    t,
    'a membership',
    [
      'stale without cause',
      [opened, change, verify(30, stale, {}, { mintedAt: 21, membership: 'm', version: 1 })],
    ],
    [[opened, change, verify(30, stale, {}, { mintedAt: 14, membership: 'm', version: 1 })]],
  )
  t.same(rules([opened, change, verify(30, stale)]), ['stale without cause'], 'a token of no tenant')
  t.same(
    rules([opened, at(40, 50, 'sign-out', s), verify(30, stale)]),
    ['stale without cause'],
    'what comes later',
  )
  t.same(rules([opened, verify(30, { code: 'revocation_unknown' })]), [], 'another refusal')
})

test('`required` accepts nothing once its last answer is too old', async t => {
  const far = { mostAge: 5000, knows: undefined, connectedSince: undefined }
  both(
    t,
    'cut off',
    ['accept in the dark', [opened, verify(6000, {}, { ...far, askedAt: 800 })]],
    [
      [
        opened,
        verify(6000, {}, { ...far, askedAt: 1000 }),
        verify(6000, {}, { ...far, askedAt: 800, mode: 'preferred' }),
        verify(6000, { code: 'revocation_unknown' }, { ...far, askedAt: 800 }),
      ],
    ],
  )
  t.same(
    rules([opened, verify(10, {}, { ...far, askedAt: undefined })]),
    ['accept in the dark'],
    'never answered',
  )
})

test('a long history is judged in a moment', async t => {
  const entries: Entry[] = []
  for (let round = 0; round < 20_000; round++) {
    const session = `s${round}`
    const start = round * 10
    entries.push(at(start, start + 1, 'sign-in', { opened: session, password: 'p' }))
    entries.push(at(start + 2, start + 3, 'check', { session, sid: session }))
    entries.push(at(start + 4, start + 5, 'end-others', { session }))
    entries.push(at(start + 6, start + 7, 'sign-out', { session }))
  }
  const startedAt = performance.now()
  t.same(rules(entries), [])
  t.ok(performance.now() - startedAt < 5000)
})
