/** Which server a process believes: never an earlier one than it has trusted, whoever answers first. */
import { test } from 'tap'
import { Outage } from '../../src/core/errors.js'
import { type ClusterIdentityRow, type Seen, Trust } from '../../src/store/postgres/cluster-identity.js'

const row = (seen: Partial<Seen> = {}, more: Partial<ClusterIdentityRow> = {}): ClusterIdentityRow => ({
  server: 1,
  in_recovery: false,
  timeline_trusted: true,
  system_trusted: true,
  generation: 5,
  timeline: '00000002',
  position: 100,
  ...seen,
  ...more,
})

/** What the next statement is sent with, and answered by. */
const ask = (trust: Trust, answer: ClusterIdentityRow | undefined) => trust.assert(answer, trust.highest)

function trusting(...answers: ClusterIdentityRow[]): Trust {
  const trust = new Trust()
  for (const answer of answers) ask(trust, answer)
  return trust
}

test('only the recorded primary is believed: no standby, no other timeline or system, and no missing row', t => {
  for (const [what, answer] of Object.entries({
    'a standby': row({}, { in_recovery: true }),
    'another timeline': row({}, { timeline_trusted: false }),
    'another system': row({}, { system_trusted: false }),
    'no row': undefined,
  })) {
    const trust = new Trust()
    t.throws(() => ask(trust, answer), Outage, what)
    t.same(trust.highest, new Trust().highest, `${what} is not remembered`)
  }
  t.end()
})

test('what is behind in generation, timeline or position is refused, and changes nothing', t => {
  for (const [what, earlier] of Object.entries({
    'a lower generation': { generation: 4, timeline: '00000009', position: 900 },
    'a lower timeline': { timeline: '00000001', position: 900 },
    'a lower position': { position: 99 },
  })) {
    const trust = trusting(row())
    t.throws(() => ask(trust, row(earlier)), /former primary or a restored copy/, what)
    t.same(trust.highest, { generation: 5, timeline: '00000002', position: 100 }, what)
    t.doesNotThrow(() => ask(trust, row()), 'the one in use is believed as before')
  }
  t.end()
})

test('what is ahead is believed and remembered, also at a lower position of a later line', t => {
  for (const later of [
    { position: 101 },
    { timeline: '0000000A', position: 1 },
    { generation: 6, timeline: '00000001', position: 1 },
  ]) {
    const trust = trusting(row(), row(later))
    t.match(trust.highest, later)
    if (!('position' in later && later.position === 101))
      t.throws(() => ask(trust, row()), Outage, 'no way back')
  }
  t.end()
})

test('answers to statements that were under way together are believed in any order', t => {
  const trust = trusting(row())
  const asked = trust.highest
  for (const position of [130, 110, 120, 100]) t.doesNotThrow(() => trust.assert(row({ position }), asked))
  t.equal(trust.highest.position, 130, 'and the highest stays')
  t.throws(() => ask(trust, row({ position: 129 })), Outage, 'what is asked from now on is judged by it')
  t.end()
})

test('an answer that was under way while another line was recorded is refused', t => {
  const trust = trusting(row())
  const asked = trust.highest
  trust.assert(row({ generation: 6, timeline: '00000003', position: 1 }), asked)
  t.throws(() => trust.assert(row({ position: 500 }), asked), Outage)
  t.end()
})

test('a process begins with what was kept, and tells of each higher generation once', t => {
  const told: number[] = []
  const trust = new Trust(5, generation => told.push(generation))
  t.throws(() => ask(trust, row({ generation: 4 })), Outage)
  ask(trust, row())
  ask(trust, row({ position: 200 }))
  t.same(told, [], 'what was kept is not told again')
  ask(trust, row({ generation: 7 }))
  ask(trust, row({ generation: 7, position: 300 }))
  ask(trust, row({ generation: 9 }))
  t.same(told, [7, 9])
  t.end()
})
