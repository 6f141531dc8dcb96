/** The vectors that every verifier of the feed must pass, in any language (test/vectors/feed). */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { judgeTime, readClaimsFor } from '../../packages/verifier/src/claims.js'
import { readCompact } from '../../packages/verifier/src/compact.js'
import { readAnswer } from '../../packages/verifier/src/feed-answer.js'
import { FeedState } from '../../packages/verifier/src/feed-state.js'
import { type KeySet, readKeySet } from '../../packages/verifier/src/key-set.js'
import { KilledKeys, readPosition } from '../../packages/verifier/src/killed-keys.js'
import { faultByMode, groundsOf, isStale } from '../../packages/verifier/src/revocation.js'
import { strictObject } from '../../packages/verifier/src/strict-json.js'
import { root } from '../support/project.mjs'

const folder = join(process.env.FEED_VECTORS ?? join(root, 'test/vectors/feed'))
const skip = existsSync(folder) ? false : 'there are no vectors'

interface Step {
  readonly at: number
  readonly mono: number
  readonly sentMono?: number
  readonly answer?: string
  readonly accepted?: boolean | readonly boolean[]
  readonly cursor?: string
  readonly generation?: number
  readonly jwksAnswer?: Parameters<typeof readKeySet>[0]
  readonly position?: string | null
  readonly token?: string
  readonly verdict?: string
}
interface Vector {
  readonly title: string
  readonly issuer: string
  readonly audience: string
  readonly mode: 'required' | 'preferred' | 'off'
  readonly maxAgeSeconds: number
  readonly jwks: Parameters<typeof readKeySet>[0]
  readonly steps: readonly Step[]
}

async function stage({ issuer, audience, mode, maxAgeSeconds, jwks }: Vector) {
  let keys = (await readKeySet(jwks)) as KeySet
  let now: Step = { at: 0, mono: 0 }
  const killed = new KilledKeys()
  const state = new FeedState(killed, () => [...keys.keys()])
  const clock = { now: () => now.at * 1000, after: () => () => {} }
  const held = {
    find: async (kid: string) => (killed.has(kid) ? undefined : keys.get(kid)),
    check: async () => {},
  }
  const parts = { issuer, clock, state, keys: held as never }

  async function verdict(token: string): Promise<string> {
    const jws = readCompact(token, 'at+jwt')
    if ('code' in jws) return jws.code
    const key = keys.get(jws.kid)
    if (!key) return 'unknown_key'
    if (mode !== 'off' && killed.has(jws.kid)) return 'stale_token'
    if (!(await key.verifies(jws.signed, jws.signature))) return 'signature'
    const payload = strictObject(jws.payload)
    const claims = payload && readClaimsFor(payload, issuer, audience)
    if (!claims) return 'payload'
    if ('code' in claims) return claims.code
    const no = judgeTime(claims, now.at)
    if (no) return no.code
    if (mode === 'off') return 'ok'
    const grounds = groundsOf(claims, jws.kid)
    if (isStale(grounds, state)) return 'stale_token'
    const isUnheard = state.isUnheard(grounds.generation)
    const age = isUnheard ? Number.POSITIVE_INFINITY : state.age(now.mono * 1000, now.at * 1000)
    return faultByMode(grounds, { mode, maxAgeSeconds, url: '' }, age) ?? 'ok'
  }

  return {
    state,
    verdict,
    at: (step: Step) => {
      now = step
    },
    answer: (line: string, sentMono: number) => readAnswer(line, sentMono * 1000, parts),
    async list(document: Vector['jwks'], position: string | null) {
      keys = (await readKeySet(document)) as KeySet
      killed.listed([...keys.keys()], readPosition(position))
    },
  }
}

test('there are vectors', { skip }, async t => {
  t.ok(readdirSync(folder).filter(name => name.endsWith('.json')).length >= 20)
})

for (const name of skip ? [] : readdirSync(folder).filter(one => one.endsWith('.json'))) {
  const vector: Vector = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  test(`${name}: ${vector.title}`, async t => {
    const { state, verdict, at, answer, list } = await stage(vector)
    for (const [index, step] of vector.steps.entries()) {
      at(step)
      const where = `step ${index}`
      if (step.token !== undefined) t.equal(await verdict(step.token), step.verdict, where)
      if (step.jwksAnswer) await list(step.jwksAnswer, step.position ?? null)
      if (step.answer === undefined) continue
      const outcomes: boolean[] = []
      for (const line of step.answer.replace(/\n$/, '').split('\n'))
        outcomes.push(/^(news|beat)$/.test(await answer(line, step.sentMono ?? step.mono)))
      const expected = typeof step.accepted === 'boolean' ? outcomes.map(() => step.accepted) : step.accepted
      t.same(outcomes, expected, where)
      if (step.cursor !== undefined) t.equal(state.after(), step.cursor, `${where}: the cursor`)
      if (step.generation !== undefined)
        t.equal(state.generation, step.generation, `${where}: the generation`)
    }
  })
}
