/** Verbs about second factors: what is used up by signing in, removed, replaced, or stopped. */
import { enrolmentCode, openReset, pendingSignIn, recoveryCode, withFactor } from '../../harness/factors.js'
import { device } from '../../support/passkeys.js'
import { sealsWith } from '../../support/seals.js'
import type { Person } from '../people.js'
import type { Prepared, Verb } from './verb.js'
import type { World } from './world.js'

const password = 'several unrelated words here'
const issuer = 'http://localhost:4000'

/** Somebody with an app, and a session that rests on it. */
async function strong(world: World) {
  const { cluster } = world.stage
  sealsWith(world.sql, { folder: cluster.folder, issuer })
  const me = await world.person()
  const session = await world.session(me, undefined, 'aal2')
  return { me, ...session, factor: await withFactor(world.sql, { id: me.id, session: session.id }) }
}

/** As an operator sees it. */
async function seen(world: World, { id }: Person) {
  const { body } = await world.ask(world.asAdmin({ method: 'GET', path: `/v1/admin/users/${id}/factors` }))
  return body as { items: { id: string }[]; recovery_codes: number; reset_due_at: number | null }
}

async function asked(world: World, path: string, cookie: string, body?: object) {
  const answer = await world.ask({ method: 'POST', path, cookie, ...(body && { body }) })
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

/** A sign-in uses up its code. */
function completes(path: string, form: boolean): Verb['prepare'] {
  return async world => {
    const { me } = await strong(world)
    const recovery_code = await recoveryCode(world.sql, me.id)
    const pending = await pendingSignIn(world.sql, me.id)
    const sent = form ? { form: { recovery_code } } : { body: { recovery_code } }
    return {
      ask: { method: 'POST', path, pending, ...sent },
      stillThere: async () => (await seen(world, me)).recovery_codes === 1,
    }
  }
}

function cancels(ask: {
  method: 'POST' | 'DELETE'
  path: string
  form?: Record<string, string>
}): Verb['prepare'] {
  return async (world): Promise<Prepared> => {
    const { me } = await strong(world)
    const pending = await pendingSignIn(world.sql, me.id)
    return {
      ask: { ...ask, pending },
      stillThere: () => world.accepts({ method: 'GET', path: '/second-step', pending }),
    }
  }
}

const removes =
  (ask: (factor: string) => object): Verb['prepare'] =>
  async world => {
    const { me, cookie, factor } = await strong(world)
    return {
      ask: { ...(ask(factor) as { method: 'POST'; path: string }), cookie },
      stillThere: async () => (await seen(world, me)).items.length > 0,
    }
  }

/** A new app takes the place of the one before. */
function confirms(path: string, form: boolean): Verb['prepare'] {
  return async world => {
    const { me, id: session, cookie, factor } = await strong(world)
    const code = await enrolmentCode(world.sql, { id: me.id, session })
    const sent = form ? { form: { code } } : { body: { code } }
    return {
      ask: { method: 'POST', path, cookie, ...sent },
      stillThere: async () => (await seen(world, me)).items.some(({ id }) => id === factor),
    }
  }
}

/** New recovery codes take the place of the one that was left. */
function replaces(path: string, sent: object): Verb['prepare'] {
  return async world => {
    const { me, cookie } = await strong(world)
    await recoveryCode(world.sql, me.id)
    return {
      ask: { method: 'POST', path, cookie, ...sent },
      stillThere: async () => (await seen(world, me)).recovery_codes === 1,
    }
  }
}

function stops(ask: {
  method: 'POST' | 'DELETE'
  path: string
  form?: Record<string, string>
}): Verb['prepare'] {
  return async world => {
    const { me, cookie } = await strong(world)
    await openReset(world.sql, me.id)
    return {
      ask: { ...ask, cookie },
      stillThere: async () => (await seen(world, me)).reset_due_at !== null,
    }
  }
}

export const verbsOfFactors: readonly Verb[] = [
  // The attempt is counted first.
  {
    covers: 'POST /v1/session/second-factor',
    inSteps: true,
    prepare: completes('/v1/session/second-factor', false),
  },
  { covers: 'POST /second-step', inSteps: true, prepare: completes('/second-step', true) },
  {
    covers: 'DELETE /v1/session/second-factor',
    prepare: cancels({ method: 'DELETE', path: '/v1/session/second-factor' }),
  },
  {
    covers: 'POST /second-step/cancel',
    prepare: cancels({ method: 'POST', path: '/second-step/cancel', form: {} }),
  },
  {
    covers: 'DELETE /v1/factors/:factor',
    prepare: removes(factor => ({ method: 'DELETE', path: `/v1/factors/${factor}` })),
  },
  {
    covers: 'POST /second-factors/remove',
    prepare: removes(factor => ({ method: 'POST', path: '/second-factors/remove', form: { factor } })),
  },
  { covers: 'POST /v1/totp/confirm', prepare: confirms('/v1/totp/confirm', false) },
  { covers: 'POST /second-factors/app/confirm', prepare: confirms('/second-factors/app/confirm', true) },
  { covers: 'POST /v1/recovery-codes', prepare: replaces('/v1/recovery-codes', {}) },
  {
    covers: 'POST /second-factors/recovery-codes',
    prepare: replaces('/second-factors/recovery-codes', { form: {} }),
  },
  { covers: 'DELETE /v1/factor-reset', prepare: stops({ method: 'DELETE', path: '/v1/factor-reset' }) },
  {
    covers: 'POST /second-factors/stop-removal',
    prepare: stops({ method: 'POST', path: '/second-factors/stop-removal', form: {} }),
  },
  {
    covers: 'POST /v1/session',
    when: 'a reset that is due',
    inSteps: true,
    async prepare(world) {
      const { me, cookie } = await strong(world)
      await openReset(world.sql, me.id)
      await world.sql`update factor_resets set due_at = now() where user_id = ${me.id}`
      return {
        ask: { method: 'POST', path: '/v1/session', body: { email: me.email, password } },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    // Its challenge is used up first.
    covers: 'POST /v1/session/step-up/passkey',
    inSteps: true,
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      const own = device({ origin: issuer })
      const made = await asked(world, '/v1/passkeys/options', cookie, { first_step: true })
      await asked(world, '/v1/passkeys', cookie, { response: own.create(made as never) })
      const challenge = await asked(world, '/v1/session/step-up/passkey/options', cookie)
      const ask = {
        method: 'POST',
        path: '/v1/session/step-up/passkey',
        cookie,
        body: { response: own.get(challenge as never) },
      } as const
      let looked = false
      return {
        ask,
        // Only by an attempt is it seen whether a challenge is good: the first time it was just made.
        stillThere: async () => {
          if (looked) return world.accepts(ask)
          looked = true
          return true
        },
      }
    },
  },
  {
    covers: 'users reset-factors',
    async prepare(world) {
      const { me, cookie } = await strong(world)
      return { ask: ['users', 'reset-factors', me.email, '--now'], stillThere: () => world.lives(cookie) }
    },
  },
]
