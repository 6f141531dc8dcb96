/** One run: the service used by a crowd while a socket makes nonsense of answers, for each seed; then all is healed. */
import type { Test } from 'tap'
import { eventually, type TestService } from '../../support/service.js'
import { chance } from '../random/prng.js'
import type { Mangler, Nonsense } from './mangler.js'
import { crowd } from './people.js'

const only = process.env.NONSENSE_SEED
const seeds = only
  ? [Number(only)]
  : Array.from({ length: Number(process.env.NONSENSE_SEEDS ?? 10) }, (_, index) => index + 1)

/** Of one seed. */
const rounds = 12
const atOnce = 6

export interface Talk {
  readonly service: TestService
  readonly between: Mangler
  readonly nonsense: Nonsense
  /** With which an answer is spoilt: a seed has one of them. */
  readonly probabilities: readonly number[]
}

export async function talkNonsense(t: Test, talk: Talk): Promise<void> {
  const { service, between, nonsense, probabilities } = talk
  // A busy machine makes each seed seconds longer.
  t.setTimeout(120_000 + seeds.length * 20_000)
  const right = new Map<string, number>()
  for (const seed of seeds) {
    const random = chance(seed)
    const people = await crowd(service, `seed-${seed}`)
    const wrong: string[] = []
    between.begin(random.fork(1), random.of(probabilities))
    for (let round = 0; round < rounds; round++) {
      const acts = Array.from({ length: atOnce }, () => people.act(random))
      between.stray()
      wrong.push(...(await Promise.all(acts)).filter(fault => fault !== undefined))
      // Connections come back by themselves; what is asked meanwhile would all be 503.
      await eventually(async () => (await people.served()) || undefined, 2).catch(() => {})
    }
    between.heal()
    t.same(wrong, [], `seed ${seed}`)
    t.same(await people.look(), [], `seed ${seed}, healed`)
    for (const [what, count] of people.right) right.set(what, (right.get(what) ?? 0) + count)
  }
  t.comment(`nonsense: ${JSON.stringify(Object.fromEntries(between.made))}`)
  t.comment(`right all the same: ${JSON.stringify(Object.fromEntries(right))}`)
  if (seeds.length < 10) return
  for (const kind of Object.keys(nonsense.kinds)) t.ok(between.made.get(kind), `there was ${kind}`)
  t.ok(right.size >= 7, 'each thing was answered, too')
}
