/** P7 in a model: no schedule makes the shipped rule accept late or refuse falsely, and each mistake that was weighed is seen. */
//
//   MODEL_SEEDS=400 node test/run.mjs test/feed/model.test.ts      at full size, some five minutes
import { test } from 'tap'
import { type Tally, World } from './model.js'
import { type Plant, plants } from './model-parts.js'

const seeds = Number(process.env.MODEL_SEEDS ?? 10)
const isFull = seeds > 10
/** On so many at most a mistake is tried: in CI until it is seen, at full size on all of them, for the figures. */
const mostOfPlant = 40

const bad = ({ late, falsely, stuck }: Tally) => late + falsely + stuck > 0

test('the shipped rule: nothing accepted late, nothing refused falsely, nobody stuck', async t => {
  let accepted = 0
  let refused = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const tally = new World(seed, 'none').play()
    t.match(tally, { late: 0, falsely: 0, stuck: 0 }, `seed ${seed}`)
    accepted += tally.accepted
    refused += tally.refused
  }
  t.ok(accepted > 100 * seeds && refused > 100 * seeds, 'there was something to judge')
  t.comment(`${seeds} seeds: ${accepted} accepted, ${refused} refused`)
})

test('each mistake is seen', async t => {
  for (const plant of plants) {
    const { schedules, hit, late, falsely, stuck } = tried(plant)
    const told = `${hit} of ${schedules} schedules: ${late} late, ${falsely} false, ${stuck} stuck`
    t.ok(hit > 0, `${plant}: ${told}`)
    t.comment(`${plant}: ${told}`)
  }
})

function tried(plant: Plant) {
  const sum = { schedules: 0, hit: 0, late: 0, falsely: 0, stuck: 0 }
  for (let seed = 1; seed <= mostOfPlant && (isFull || sum.hit === 0); seed++) {
    const tally = new World(seed, plant).play()
    sum.schedules++
    if (bad(tally)) sum.hit++
    sum.late += tally.late
    sum.falsely += tally.falsely
    sum.stuck += tally.stuck
  }
  return sum
}
