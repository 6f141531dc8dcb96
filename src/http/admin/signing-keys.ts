/** Admin: the signing keys, as the commands `mintmark keys …` have them. */
import { Type } from 'typebox'
import type { Kid } from '../../core/principal.js'
import type { Leak } from '../../keys/compromise.js'
import { describeExposure, describeRing, type KeyOperations } from '../../keys/operations.js'
import type { Ring } from '../../keys/store.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import { Body } from '../shapes/schemas.js'
import { operation, over } from './shapes.js'

const Moment = Type.Number({ format: 'double', description: 'NumericDate, with a fraction.' })
const Seconds = Type.Number({ format: 'double' })
const momentOrNull = Type.Union([Moment, Type.Null()])
const Key = Type.Object(
  {
    kid: Type.String(),
    state: Type.String({
      description: '`standby`, `scheduled`, `signing`, `verifying`, `gone` or `compromised`.',
    }),
    published_at: Moment,
    signs_from: momentOrNull,
    signs_until: momentOrNull,
    unpublished_at: momentOrNull,
    compromised_at: momentOrNull,
    compromised_since: momentOrNull,
    sealed_under: Type.Union([Type.String(), Type.Null()], {
      description: 'The id of its key-encryption key. Null once the private key is erased.',
    }),
  },
  { title: 'SigningKey', description: 'A signing key.' },
)
const items = Type.Array(Key, { description: 'Every key that was ever published, oldest first.' })
const Keys = Type.Object({ items }, { title: 'SigningKeyList', description: 'The key ring.' })
const Change = Type.Object(
  {
    changed: Type.Boolean({ description: 'False if there was nothing to do.' }),
    dry_run: Type.Boolean(),
    items,
  },
  { title: 'SigningKeyChange', description: 'The key ring after the change.' },
)
const Exposed = Type.Object(
  {
    ...Change.properties,
    exposure: Type.Object(
      {
        introspection: Seconds,
        jwks: Seconds,
        refreshing_verifiers: Seconds,
        verifiers_in_outage: Seconds,
        everything: Seconds,
      },
      {
        title: 'SigningKeyExposure',
        description: 'How long leaked keys are still accepted, in seconds, for each kind of verifier.',
      },
    ),
  },
  {
    title: 'SigningKeyCompromise',
    description: 'The key ring after the change, and how long leaked keys are still accepted.',
  },
)
const Finding = Type.Object(
  { check: Type.String(), ok: Type.Boolean(), says: Type.String() },
  { title: 'SigningKeyFinding' },
)
const Findings = Type.Object(
  {
    ok: Type.Boolean(),
    items: Type.Array(Finding),
  },
  { title: 'SigningKeyReport', description: 'The result of each check.' },
)
const dryRun = Type.Optional(
  Type.Boolean({ description: 'Dry run: the response is the resulting key ring, and nothing is changed.' }),
)
const reads: Needs = over('keys:read')
const writes: Needs = over('keys:write')

export function signingKeyRoutes(app: App, operations: KeyOperations): void {
  app.get(
    '/v1/admin/signing-keys',
    operation(reads, 'listSigningKeys', {
      summary: 'List all signing keys with their times',
      answers: { 200: Keys },
    }),
    async () => ({ items: describeRing(await operations.list()) }),
  )

  app.get(
    '/v1/admin/signing-keys/doctor',
    operation(reads, 'examineSigningKeys', {
      summary: 'Check clocks, times and keys on the instance that answers',
      answers: { 200: Findings },
    }),
    async () => {
      const findings = await operations.doctor()
      return { ok: findings.every(({ ok }) => ok), items: findings.map(finding => ({ ...finding })) }
    },
  )

  app.post(
    '/v1/admin/signing-keys/rotate',
    operation(writes, 'rotateSigningKeys', {
      summary: 'Rotate to the next key as soon as every verifier can know it',
      body: Body({
        dry_run: dryRun,
        force: Type.Optional(
          Type.Boolean({
            description: 'Rotate even if verifiers have reported that they do not hold the next key yet.',
          }),
        ),
      }),
      answers: { 200: Change },
    }),
    async request => {
      const { dry_run = false, force = false } = request.body
      const answer = await operations.rotate({ actor: adminActor(request), dryRun: dry_run, force })
      if (answer === 'shut') throw new Problem('invalid_request', { detail: nextIsShut })
      if (typeof answer === 'object' && 'lacking' in answer)
        throw new Problem('invalid_request', {
          detail: `These verifiers do not hold the next key yet: ${answer.lacking.join(', ')}. Wait until they have fetched the keys, or send \`force: true\`.`,
        })
      return answerOf(answer, dry_run)
    },
  )

  app.post(
    '/v1/admin/signing-keys/compromise',
    operation(writes, 'compromiseSigningKeys', {
      revokes: 'always',
      summary: 'Withdraw leaked keys at once; nobody is signed out',
      body: Body({
        kid: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
        all: Type.Optional(Type.Literal(true)),
        kek: Type.Optional(
          Type.String({
            minLength: 1,
            maxLength: 200,
            description:
              'The id of a leaked key-encryption key: every key ever sealed under it has leaked, too.',
          }),
        ),
        since: Type.Optional(
          Type.Integer({
            format: 'int64',
            minimum: 0,
            description:
              'A NumericDate: signatures that the key made before it are still accepted. Default: no signature is.',
          }),
        ),
        dry_run: dryRun,
      }),
      answers: { 200: Exposed },
      refuses: ['not_found'],
    }),
    async request => {
      const { since = null, dry_run = false } = request.body
      const answer = await operations.compromise(leakOf(request.body), since, {
        actor: adminActor(request),
        dryRun: dry_run,
      })
      if (answer === 'unknown-key') throw new Problem('not_found')
      if (answer === 'no-other-kek') throw new Problem('invalid_request', { detail: noOtherKek })
      if (answer === 'since-in-future')
        throw new Problem('invalid_request', { detail: '`since` must not be in the future.' })
      const { policy } = typeof answer === 'string' ? await operations.list() : answer
      return { ...(await answerOf(answer, dry_run)), exposure: describeExposure(policy) }
    },
  )

  app.post(
    '/v1/admin/signing-keys/reseal',
    operation(writes, 'resealSigningKeys', {
      summary: 'Reseal all keys under the newest key-encryption key of the instance that answers',
      body: Body({ dry_run: dryRun }),
      answers: { 200: Change },
    }),
    async request => {
      const { dry_run = false } = request.body
      return answerOf(await operations.reseal({ actor: adminActor(request), dryRun: dry_run }), dry_run)
    },
  )

  async function answerOf(answer: Ring | string, dryRun: boolean) {
    const done = typeof answer !== 'string'
    return { changed: done, dry_run: dryRun, items: describeRing(done ? answer : await operations.list()) }
  }
}

const nextIsShut =
  'This instance cannot open the next key. GET /v1/admin/signing-keys/doctor gives the reason.'
const noOtherKek = 'First add another key-encryption key to the keys folder of every instance.'

function leakOf({ kid, all, kek }: { kid?: string; all?: true; kek?: string }): Leak {
  const given = [kid !== undefined && { kid: kid as Kid }, all && 'all', kek !== undefined && { kekId: kek }]
  const [leak, other] = given.filter(one => one !== false && one !== undefined) as Leak[]
  if (leak === undefined || other !== undefined)
    throw new Problem('invalid_request', { detail: 'Send exactly one of `kid`, `all` and `kek`.' })
  return leak
}
