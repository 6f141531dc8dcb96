/** KY-01, KY-02, KY-05: months of a fleet in simulated time; and mistakes that it must tell. */
import { test } from 'tap'
import { maintenance, signerOf } from '../../src/keys/schedule.js'
import type { Plan, Ring } from '../../src/keys/store.js'
import { type Build, simulate, sound } from './fleet.js'

const seeds = Array.from({ length: 12 }, (_, index) => 4711 + index)
const days = 20

test('over months of rotations every token verifies everywhere for its whole life, and none after its key is gone', t => {
  for (const seed of seeds) {
    const { rotations, minted, verified, refused, forged } = simulate(seed, days)
    t.ok(
      rotations > 50 && minted > 10_000 && verified > 20_000,
      `seed ${seed}: ${rotations} rotations, ${verified} verifications`,
    )
    t.strictSame({ refused, forged }, { refused: 0, forged: 0 }, `seed ${seed}`)
  }
  t.end()
})

/** `alter` sees each plan that publishes or schedules. */
const planning =
  (alter: (plan: Plan, ring: Ring) => Plan): Build['maintenance'] =>
  ring => {
    const plan = maintenance(ring)
    return plan === 'nothing' ? plan : alter(plan, ring)
  }

const mistakes: Record<string, Partial<Build>> = {
  'a key signs at its publication': {
    maintenance: planning((plan, { keys, now }) => {
      const fresh = plan.alter.find(({ signsFrom }) => signsFrom)
      if (!fresh || plan.publish.length === 0) return plan
      // The new one takes the turn of the one that was ready.
      const signer = signerOf(keys, now)
      const alter = plan.alter
        .filter(one => one !== fresh)
        .map(one => (one.kid === signer?.kid ? { ...one, signsUntil: now, unpublishedAt: now + 4560 } : one))
      return { ...plan, alter, publish: [{ signsFrom: now, exempt: null }] }
    }),
  },
  'a key is withdrawn when it ends to sign': {
    maintenance: planning(plan => ({
      ...plan,
      alter: plan.alter.map(one => (one.signsUntil ? { ...one, unpublishedAt: one.signsUntil } : one)),
    })),
  },
  'an instance chooses by its own clock': {
    kid: (_chosen, { memory, skew }, now) => signerOf(memory.keys, now + skew)?.kid,
  },
  'an instance signs with the kid that it remembers': {
    kid: (chosen, { memory }) => signerOf(memory.keys, memory.now)?.kid ?? chosen,
  },
  'a verifier only ever adds keys': {
    keep: (known, fetched) => new Set([...known, ...fetched]),
  },
}

for (const [mistake, parts] of Object.entries(mistakes)) {
  test(`it is told when ${mistake}`, t => {
    const told = seeds.some(seed => {
      const { refused, forged } = simulate(seed, days, { ...sound, ...parts })
      return refused + forged > 0
    })
    t.ok(told)
    t.end()
  })
}
