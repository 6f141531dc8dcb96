/** Every limit, set and reached: by one instance alone, and by three that share a Redis. PW-07, RL-02, RL-07, RL-09. */
import { test } from 'tap'
import { type Limit, type LimitName, limits, narrower } from '../../src/accounts/throttle.js'
import { limitSettings, writtenLimit } from '../../src/boot/limit-settings.js'
import { type Credential, newCredential } from '../../src/sessions/credential.js'
import { madeUpAnswer } from '../harness/passkeys.js'
import { administrator, freshAddress, link, member, type Person, person, tenant } from '../harness/world.js'
import { skipWithoutRedis } from '../support/redis.js'
import { goodPassword } from '../support/service.js'
import {
  type Answer,
  alone,
  here,
  many,
  refused,
  signIn,
  statuses,
  threeOnRedis,
  type World,
  wrongPassword,
} from './world.js'

/** One limit: an attempt that passes as often as the setting says, and what it must not be in the way of. */
interface Case {
  readonly what: string
  readonly passes: number
  /** Where fewer wait for one row. */
  readonly atOnce?: number
  readonly prepare: (world: World, me: Person) => { attempt: (index: number) => Promise<Answer> }
  /** The right thing, tried where the limit is exhausted. */
  readonly atLast: (world: World, me: Person) => Promise<Answer>
  /** What goes on as ever, with the status that says so. */
  readonly unhindered: (world: World, me: Person) => Promise<readonly [string, Answer, number][]>
}

const unknownToken = 'A'.repeat(43)

const staleSignOut = (world: World, address?: string) =>
  world.at(address, revealed(newCredential())).delete('/v1/session')
const revealed = ({ id, secret }: Credential) => `${id}.${secret.reveal()}`

const places = new WeakMap<Person, Promise<string>>()
/** A tenant that this person owns: always the same, or a new one. */
function placeOf(world: World, me: Person): Promise<string> {
  const place = places.get(me) ?? newPlace(world, me)
  places.set(me, place)
  return place
}
async function newPlace({ sql }: World, me: Person): Promise<string> {
  const id = await tenant(sql)
  await member(sql, me.id, id, 'owner')
  return id
}
const invite = (world: World, { cookie }: Person, place: string) =>
  world
    .at(undefined, cookie)
    .post(`/v1/admin/tenants/${place}/invitations`, { email: freshAddress(), roles: ['member'] })

const cases: Readonly<Record<Exclude<LimitName, 'mail by recipient'>, Case>> = {
  'federation by address': {
    what: 'sign-ins through a provider begun from one address, whether there is one of that name or not',
    passes: 404,
    prepare: world => ({ attempt: () => world.at(here).get('/v1/federation/nobody') }),
    atLast: world => world.at(here).get('/v1/federation/nobody'),
    unhindered: async world => [['another address', await world.at().get('/v1/federation/nobody'), 404]],
  },
  'passkey by address': {
    what: 'challenges of passkeys from one address, whoever they are for',
    passes: 200,
    prepare: world => ({ attempt: () => world.at(here).post('/v1/passkey/sign-in/options') }),
    atLast: world => world.at(here).post('/v1/passkey/sign-in', { response: madeUpAnswer() }),
    unhindered: async (world, me) => [
      ['another address', await world.at().post('/v1/passkey/sign-in/options'), 200],
      ['a password', await signIn(world.at(here), me.email, goodPassword), 201],
    ],
  },
  'sign-in by account and address': {
    what: 'one account from one address, however it is spelt',
    passes: 401,
    prepare: (world, me) => {
      const [local, domain] = me.email.split('@')
      const spellings = [me.email, me.email.toUpperCase(), `${local?.toUpperCase()}@${domain}`]
      return { attempt: index => signIn(world.at(here), spellings[index % spellings.length] as string) }
    },
    atLast: (world, me) => signIn(world.at(here), me.email, goodPassword),
    unhindered: async (world, me) => [
      ['the account elsewhere', await signIn(world.at(), me.email, goodPassword), 201],
      ['another account here', await signIn(world.at(here), (await person(world.sql)).email), 401],
    ],
  },
  'sign-in by account': {
    what: 'one account from many addresses',
    passes: 401,
    prepare: (world, me) => ({ attempt: () => signIn(world.at(), me.email) }),
    atLast: (world, me) => signIn(world.at(), me.email.toUpperCase(), goodPassword),
    unhindered: async world => {
      const { email } = await person(world.sql)
      return [['another account', await signIn(world.at(), email, goodPassword), 201]]
    },
  },
  'sign-in by address': {
    what: 'one password on many accounts from one address, known or not',
    passes: 401,
    prepare: world => ({
      attempt: async index =>
        signIn(world.at(here), index % 5 === 0 ? (await person(world.sql)).email : freshAddress()),
    }),
    atLast: (world, me) => signIn(world.at(here), me.email, goodPassword),
    unhindered: async (world, me) => [
      ['another address', await signIn(world.at(), me.email, goodPassword), 201],
    ],
  },
  'sign-out by address': {
    what: 'sign-outs out of sessions that may have been in Redis',
    passes: 204,
    atOnce: 10,
    prepare: world => {
      const marked = world.sql`update service set sessions_in_redis = true`.execute()
      return {
        attempt: async () => {
          await marked
          return staleSignOut(world, here)
        },
      }
    },
    atLast: world => staleSignOut(world, here),
    unhindered: async (world, me) => {
      const other = await person(world.sql)
      return [
        ['another address', await staleSignOut(world), 204],
        ['a sign-in', await signIn(world.at(here), me.email, goodPassword), 201],
        ['a sign-out out of a session', await world.at(here, other.cookie).delete('/v1/session'), 204],
      ]
    },
  },
  'invitation by tenant': {
    what: 'invitations into one tenant by all who may invite',
    passes: 201,
    atOnce: 10,
    prepare: (world, me) => {
      const place = placeOf(world, me)
      const inviters = Array.from({ length: 10 }, async () => {
        const inviter = await person(world.sql)
        await member(world.sql, inviter.id, await place, 'owner')
        return inviter
      })
      return {
        attempt: async index =>
          invite(world, (await inviters[index % inviters.length]) as Person, await place),
      }
    },
    atLast: async (world, me) => invite(world, me, await placeOf(world, me)),
    unhindered: async (world, me) => [
      ['another tenant of theirs', await invite(world, me, await newPlace(world, me)), 201],
    ],
  },
  'invitation by person': {
    what: 'invitations by one person into all of their tenants',
    passes: 201,
    atOnce: 10,
    prepare: (world, me) => {
      const places = Array.from({ length: 5 }, () => newPlace(world, me))
      return { attempt: async index => invite(world, me, await (places[index % 5] as Promise<string>)) }
    },
    atLast: async (world, me) => invite(world, me, await newPlace(world, me)),
    unhindered: async world => {
      const other = await person(world.sql)
      return [['another person', await invite(world, other, await newPlace(world, other)), 201]]
    },
  },
  'current password by person': {
    what: 'whoever holds a session guesses its current password from many addresses',
    passes: 403,
    prepare: (world, me) => ({
      attempt: () =>
        world.at(undefined, me.cookie).put('/v1/password', {
          current_password: wrongPassword,
          new_password: 'quite other words now',
        }),
    }),
    atLast: (world, me) =>
      world.at(undefined, me.cookie).put('/v1/password', {
        current_password: goodPassword,
        new_password: 'quite other words now',
      }),
    unhindered: async (world, me) => {
      const other = await person(world.sql)
      const change = { current_password: goodPassword, new_password: 'quite other words now' }
      return [
        ['another person', await world.at(undefined, other.cookie).put('/v1/password', change), 204],
        ['the session', await world.at(undefined, me.cookie).get('/v1/session'), 200],
        ['signing in with what it was', await signIn(world.at(), me.email, goodPassword), 201],
      ]
    },
  },
  'link by address': {
    what: 'links that are none, at either route',
    passes: 400,
    prepare: world => ({
      attempt: index =>
        world.at(here).post(index % 2 ? '/v1/sign-up/verify' : '/v1/password/reset', {
          token: index % 3 ? unknownToken : 'no token at all',
          password: goodPassword,
        }),
    }),
    atLast: async (world, me) => {
      const token = await link(world.sql, 'password-reset', me.email)
      return world.at(here).post('/v1/password/reset', { token, password: goodPassword })
    },
    unhindered: async (world, me) => {
      const token = await link(world.sql, 'password-reset', me.email)
      const reset = await world.at().post('/v1/password/reset', { token, password: goodPassword })
      return [['a link elsewhere', reset, 204]]
    },
  },
  'mail by address': {
    what: 'mails asked for at either route',
    passes: 202,
    prepare: world => ({
      attempt: index =>
        world.at(here).post(index % 2 ? '/v1/sign-up' : '/v1/password/forgot', { email: freshAddress() }),
    }),
    atLast: (world, me) => world.at(here).post('/v1/password/forgot', { email: me.email }),
    unhindered: async (world, me) => [
      ['another address', await world.at().post('/v1/password/forgot', { email: me.email }), 202],
    ],
  },
  'refusals by caller': {
    what: 'a person who is refused a token in a loop from many addresses',
    passes: 403,
    prepare: (world, me) => ({
      attempt: () => world.at(undefined, me.cookie).post('/v1/token', { audience: 'nobody' }),
    }),
    atLast: (world, me) => world.at(undefined, me.cookie).post('/v1/token', { audience: 'nobody' }),
    unhindered: async (world, me) => {
      const other = await person(world.sql)
      return [
        [
          'another person',
          await world.at(undefined, other.cookie).post('/v1/token', { audience: 'nobody' }),
          403,
        ],
        ['a token that is granted', await world.at(undefined, me.cookie).post('/v1/token', {}), 200],
      ]
    },
  },
  'admin by caller': {
    what: "TN-15: a tenant's owner in a loop from many addresses",
    passes: 200,
    prepare: (world, me) => {
      const place = tenant(world.sql).then(async id => {
        await member(world.sql, me.id, id, 'owner')
        return id
      })
      return {
        attempt: async () => world.at(undefined, me.cookie).get(`/v1/admin/tenants/${await place}/members`),
      }
    },
    atLast: (world, me) => world.at(undefined, me.cookie).get('/v1/admin/users'),
    unhindered: async (world, me) => {
      const other = await administrator(world.sql)
      return [
        ['another caller', await world.at(undefined, other.cookie).get('/v1/admin/users'), 200],
        ['the same person elsewhere', await world.at(undefined, me.cookie).get('/v1/session'), 200],
      ]
    },
  },
}

/** Other than the default, and few; what is narrower must fit into it. */
const few: Limit = { points: 6, seconds: 420 }
const fewer: Limit = { points: 3, seconds: 300 }

function settingsFor(limit: LimitName): Record<string, string> {
  const parts = narrower.flatMap(([wide, narrow]) => (wide === limit ? [narrow] : []))
  const set = (name: LimitName, to: Limit) => [limitSettings[name].env, writtenLimit(to)]
  return Object.fromEntries([set(limit, few), ...parts.map(narrow => set(narrow, fewer))])
}

for (const [where, skip, open] of [
  ['by an instance alone', false, alone],
  ['over three instances on one Redis', skipWithoutRedis, threeOnRedis],
] as const) {
  for (const [name, { what, passes, atOnce, prepare, atLast, unhindered }] of Object.entries(cases)) {
    const limit = name as LimitName
    test(`PW-07, RL-02, RL-09: ${what}: limited ${where}`, { skip }, async t => {
      const world = await open(t, settingsFor(limit))
      const me = await person(world.sql)
      const { attempt } = prepare(world, me)
      const { points, seconds } = few
      t.same(statuses(await many(points - 1, attempt, atOnce)), { [passes]: points - 1 })
      const race = await many(20, attempt)
      t.same(statuses(race), { [passes]: 1, 429: 19 }, 'of those who try at once at the limit one passes')
      for (const answer of race.filter(({ statusCode }) => statusCode === 429))
        refused(t, answer, limit, seconds)
      refused(t, await atLast(world, me), limit, seconds)
      for (const [other, answer, status] of await unhindered(world, me))
        t.equal(answer.statusCode, status, `${other}: ${answer.body}`)
    })
  }

  test(`RL-07: mails to one victim, asked for from many addresses: capped ${where}, with one answer`, {
    skip,
  }, async t => {
    const { points } = fewer
    const world = await open(t, { [limitSettings['mail by recipient'].env]: writtenLimit(fewer) })
    const [victim, stranger] = [await person(world.sql), freshAddress()]
    const spellings = [victim.email, victim.email.toUpperCase()]
    const ask = (route: string, email: string) => world.at().post(route, { email })
    const asked = [
      ...(await many(points + 3, index => ask('/v1/password/forgot', spellings[index % 2] as string))),
      ...(await many(points + 3, index => ask('/v1/sign-up', spellings[index % 2] as string))),
      ...(await many(points + 3, () => ask('/v1/sign-up', stranger))),
      ...(await many(points + 3, () => ask('/v1/password/forgot', stranger))),
    ]
    t.same(statuses(asked), { 202: 4 * (points + 3) })
    t.same(new Set(asked.map(answer => answer.body)).size, 1, 'one answer')
    t.notOk(asked.some(({ headers }) => headers['retry-after'] !== undefined))
    // A service that has closed has done what it had begun.
    for (const instance of world.instances) await instance.close()
    const mails = world.instances[0]?.mails.map(({ to, subject }) => `${to} ${subject}`) ?? []
    const expected = [
      `${victim.email} Choose a new password for Mintmark`,
      `${victim.email} You already have an account at Mintmark`,
      `${stranger} Finish signing up to Mintmark`,
    ]
    t.same(mails.toSorted(), expected.flatMap(mail => Array.from({ length: points }, () => mail)).toSorted())
  })
}

test('the cases above are all limits', t => {
  t.same([...Object.keys(cases), 'mail by recipient'].sort(), Object.keys(limits).sort())
  t.end()
})
