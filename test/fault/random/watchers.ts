/** Services of a random run that trust tokens: each asks a verifier that follows the feed of one instance. */
import { setTimeout } from 'node:timers/promises'
import type { Stage } from '../stage.js'
import type { Watcher } from '../watcher.js'
import type { Chance } from './prng.js'

/** One for each instance. One of them gives up soon, so that a run sees it. */
export async function castWatchers(stage: Stage): Promise<readonly Watcher[]> {
  return Promise.all(
    stage.fleet.instances.map((at, index) => {
      const mode = index % 3 === 2 ? 'preferred' : 'required'
      return stage.watcher(at, mode, index % 3 === 0 ? 5 : 15)
    }),
  )
}

/** Tokens of lately, and often the same one again at once, as a client does that got an answer. */
export async function watch(stage: Stage, watcher: Watcher, chance: Chance, until: number): Promise<void> {
  while (performance.now() < until) {
    await setTimeout(chance.between(4, 20))
    if (stage.tokens.length === 0) continue
    const newest = stage.tokens.at(-1)
    const token = chance.next() < 0.3 && newest ? newest : chance.of(stage.tokens)
    await watcher.verify(token)
  }
}
