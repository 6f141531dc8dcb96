/** What a leak or a recovery does to each key, as a pure function: cases that a fleet seldom is in. */
import { test } from 'tap'
import type { Kid } from '../../src/core/principal.js'
import { compromise, recovery } from '../../src/keys/compromise.js'
import { historicalKeys } from '../../src/keys/history.js'
import { dueAt, maintenance, stateOf } from '../../src/keys/schedule.js'
import type { Alteration, Key, Plan, Ring } from '../../src/keys/store.js'
import { defaultPolicy, keyAt } from '../support/keys.js'

const now = 1_000_000
const policy = defaultPolicy
const key = (kid: string, times: Partial<Key> = {}) => keyAt(kid, now - 200_000, times)
const signing = key('signing', { signsFrom: now - 100_000 })
const standby = key('standby')
const ending = key('signing', { signsFrom: now - 100_000, signsUntil: now + 500, unpublishedAt: now + 7700 })
const scheduled = key('scheduled', { signsFrom: now + 500 })
const retired = key('retired', {
  signsFrom: now - 150_000,
  signsUntil: now - 100,
  unpublishedAt: now + 7100,
  sealed: null,
  kekId: null,
})
const gone = key('gone', {
  signsFrom: now - 190_000,
  signsUntil: now - 50_000,
  unpublishedAt: now - 10_000,
  sealed: null,
  kekId: null,
})

const ring = (...keys: Key[]): Ring => ({ now, policy, keys, feedPosition: '0.0' })
const leak = (of: Ring, kid: string, since: number | null = null) =>
  compromise(of, { kid: kid as Kid }, since) as Plan
const of = ({ alter }: Plan, kid: string) => alter.find(one => one.kid === kid) as Alteration
const marked = { compromised: { at: now, since: null } }

test('a leaked standby is replaced, and the signer goes on', t => {
  const plan = leak(ring(signing, standby), 'standby')
  t.same(plan.publish, [{ signsFrom: null, exempt: null }])
  t.same(plan.alter, [
    { kid: 'standby', signsFrom: null, signsUntil: null, unpublishedAt: now, sealed: 'erased', ...marked },
  ])
  t.end()
})

test('where the key that leaked was about to sign, the signer does not end', t => {
  const plan = leak(ring(ending, scheduled, standby), 'scheduled')
  t.match(of(plan, 'scheduled'), { signsFrom: null, unpublishedAt: now, ...marked })
  t.same(of(plan, 'signing'), { kid: 'signing', signsUntil: null, unpublishedAt: null })
  t.same(plan.publish, [], 'a standby is there')
  t.end()
})

test('where the signer leaks, the one that is scheduled begins now, before any standby', t => {
  const plan = leak(ring(ending, scheduled, standby), 'signing')
  t.match(of(plan, 'signing'), { signsUntil: now, unpublishedAt: now, sealed: 'erased', ...marked })
  t.same(of(plan, 'scheduled'), { kid: 'scheduled', signsFrom: now, exempt: 'compromise' })
  t.same(plan.publish, [])
  t.end()
})

test('where nothing stands by, a fresh key signs', t => {
  const plan = leak(ring(signing), 'signing')
  t.same(plan.publish, [
    { signsFrom: now, exempt: 'compromise' },
    { signsFrom: null, exempt: null },
  ])
  t.end()
})

test('a key that only verifies leaves the list, one that has gone is only marked', t => {
  const plan = leak(ring(retired, gone, signing, standby), 'retired')
  t.same(plan, {
    publish: [],
    alter: [{ kid: 'retired', signsUntil: now - 100, unpublishedAt: now, ...marked }],
  })
  const { alter, publish } = leak(ring(retired, gone, signing, standby), 'gone', 5)
  t.same(publish, [])
  t.match(alter, [
    {
      kid: 'gone',
      signsUntil: now - 50_000,
      unpublishedAt: now - 10_000,
      compromised: { at: now, since: 5 },
    },
  ])
  t.end()
})

test('all marks whatever there ever was; a key-encryption key marks whatever it ever sealed', t => {
  const resealed = key('resealed', { kekId: 'second', kekIds: ['first', 'second'] })
  const sound = key('sound', { kekId: 'second', kekIds: ['second'] })
  const whole = ring(gone, retired, signing, resealed, sound)
  const all = compromise(whole, 'all', null) as Plan
  t.same(
    all.alter.map(({ kid }) => kid),
    ['gone', 'retired', 'signing', 'resealed', 'sound'],
  )
  t.equal(all.publish.length, 2)
  const some = compromise(whole, { kekId: 'first' }, null) as Plan
  t.same(
    some.alter.map(({ kid }) => kid),
    ['gone', 'retired', 'signing', 'resealed'],
  )
  t.match(
    some.publish,
    [{ signsFrom: now, exempt: 'compromise' }, { signsFrom: null }],
    'more may have leaked: a fresh key',
  )
  t.end()
})

test('a mark gets stricter, never milder', t => {
  const was = key('was', {
    ...retired,
    kid: 'was' as Kid,
    unpublishedAt: now - 50,
    compromised: { at: now - 50, since: 700 },
  })
  const whole = ring(was, signing, standby)
  for (const milder of [700, 800]) t.equal(compromise(whole, { kid: 'was' as Kid }, milder), 'already-marked')
  t.match(leak(whole, 'was', 600).alter, [{ compromised: { at: now - 50, since: 600 } }])
  t.match(leak(whole, 'was').alter, [{ compromised: { at: now - 50, since: null } }])
  t.end()
})

test('after a recovery a standby counts as one that may have signed, and ended keys keep their end', t => {
  const { alter, publish } = recovery(ring(gone, retired, ending, scheduled, standby))
  t.match(publish, [{ signsFrom: now, exempt: 'recovery' }, { signsFrom: null }])
  const ends = { signsUntil: now, unpublishedAt: now + 7200, sealed: 'erased' }
  t.same(alter, [
    { kid: 'signing', ...ends },
    { kid: 'scheduled', signsFrom: now - 200_000, exempt: 'recovery', ...ends },
    { kid: 'standby', signsFrom: now - 200_000, exempt: 'recovery', ...ends },
  ])
  t.end()
})

test('maintenance does one thing at its time, and each key has a jitter of its own', t => {
  t.equal(maintenance(ring(signing, standby)), 'nothing')
  t.same(maintenance(ring(signing)), { publish: [{ signsFrom: null, exempt: null }], alter: [] })
  const old = (kid: string) => key(kid, { signsFrom: now - 2_592_000 * 1.1, publishedAt: now - 3_000_000 })
  const plan = maintenance(ring(old('a'), standby)) as Plan
  t.match(plan.alter, [
    { kid: 'a', signsUntil: now + 60, unpublishedAt: now + 7260 },
    { kid: 'standby', signsFrom: now + 60 },
  ])
  const dues = Array.from({ length: 100 }, (_, index) => dueAt(key(`k${index}`, { signsFrom: 0 }), policy))
  t.equal(new Set(dues).size, 100)
  t.ok(Math.min(...dues) >= policy.rotateEvery && Math.max(...dues) <= policy.rotateEvery * 1.1)
  const half = key('half', { ...retired, sealed: Buffer.alloc(1), kekId: 'first' })
  t.match(maintenance(ring(half, signing, standby)), {
    publish: [],
    alter: [{ kid: 'retired', sealed: 'erased' }],
  })
  t.end()
})

test('the history has what has ended, in whole seconds around it, and what leaked', t => {
  const exact = key('exact', {
    signsFrom: now - 100.5,
    signsUntil: now - 10.5,
    unpublishedAt: now + 9000,
    publishedAt: now - 9000.5,
  })
  const leaked = key('leaked', {
    compromised: { at: now - 5, since: now - 7.5 },
    unpublishedAt: now - 5,
    sealed: null,
    kekId: null,
  })
  const whole = ring(exact, leaked, signing, standby)
  t.match(historicalKeys(whole), [
    { kid: 'exact', iat: now - 9001, nbf: now - 101, exp: now - 10, revoked: undefined },
    {
      kid: 'leaked',
      nbf: now - 200_000,
      exp: now - 200_000,
      revoked: { revoked_at: now - 8, reason: 'compromised' },
    },
  ])
  t.same(
    whole.keys.map(one => stateOf(whole, one)),
    ['verifying', 'compromised', 'signing', 'standby'],
  )
  t.end()
})
