/** Of the stores of second factors: what each method adds to the feed. Only a reset takes something away. */
import { randomUUID } from 'node:crypto'
import type { FactorActor } from '../../src/accounts/factors.js'
import type { FactorId, UserId } from '../../src/core/principal.js'
import { byOperator, byPerson, identityOf, random, sessionId } from '../conformance/world.js'
import type { Expectation, Operation } from './operations.js'
import type { Scene } from './scene.js'

const nothing = (what: string, arrange: (scene: Scene) => Promise<() => Promise<unknown>>): Operation => ({
  what,
  arrange: async scene => ({ dead: [], work: await arrange(scene) }),
})

const strong = (user: UserId): FactorActor => ({
  user,
  session: sessionId(),
  acr: 'aal2',
  actor: byPerson(user),
})
const sealed = { sealed: random(60), kekId: 'first' }

const credential = {
  id: Buffer.alloc(0),
  transports: [],
  publicKey: random(77),
  algorithm: -7,
  counter: 0,
  backupEligible: false,
  backedUp: false,
  discoverable: undefined,
  aaguid: '00000000-0000-0000-0000-000000000000',
} as const

/** Somebody with an app and recovery codes. */
async function withApp({ person, stores }: Scene) {
  const { user } = await person()
  const id = randomUUID() as FactorId
  const [one = random(32), ...others] = Array.from({ length: 3 }, () => random(32))
  const by = strong(user)
  await stores.factors.enrol(by, id, 'Phone', sealed)
  await stores.factors.confirm(by, { kind: 'totp', factor: id, step: 1 }, [one, ...others])
  return { user, id, code: one }
}

export const factorExpectations: Readonly<Record<string, Expectation>> = {
  'factors.of': 'reads',
  'factors.unconfirmed': 'reads',
  'factors.kekIds': 'reads',
  'factors.attemptTotp': [
    nothing('a code', async scene => {
      const { user } = await withApp(scene)
      return () => scene.stores.factors.attemptTotp(user, () => true)
    }),
  ],
  'factors.isUnusedCode': 'reads',
  'factors.giveBack': [
    nothing('a code', async scene => {
      const { user } = await withApp(scene)
      await scene.stores.factors.attemptTotp(user, () => true)
      return () => scene.stores.factors.giveBack(user)
    }),
  ],
  'factors.enrol': [
    nothing('an app', async ({ person, stores }) => {
      const { user } = await person()
      return () => stores.factors.enrol(strong(user), randomUUID() as FactorId, 'Phone', sealed)
    }),
  ],
  'factors.confirm': [
    nothing('an app', async ({ person, stores }) => {
      const { user } = await person()
      const id = randomUUID() as FactorId
      const by = strong(user)
      await stores.factors.enrol(by, id, 'Phone', sealed)
      return () => stores.factors.confirm(by, { kind: 'totp', factor: id, step: 1 }, [random(32)])
    }),
  ],
  'factors.lift': [
    nothing('a count of wrong codes', async scene => {
      const { user } = await withApp(scene)
      await scene.stores.factors.attemptTotp(user, () => true)
      return () => scene.stores.factors.lift(user, byOperator)
    }),
  ],
  'factors.reseal': [
    nothing('the secrets under one key', async scene => {
      await withApp(scene)
      const again = () => ({ sealed: random(60), kekId: 'second' })
      return () => scene.stores.factors.reseal(['first'], again, byOperator)
    }),
  ],
  'factors.rename': [
    nothing('an app', async scene => {
      const { user, id } = await withApp(scene)
      return () => scene.stores.factors.rename(strong(user), id, 'Other')
    }),
  ],
  'factors.remove': [
    nothing('the last one', async scene => {
      const { user, id } = await withApp(scene)
      return () => scene.stores.factors.remove(strong(user), id)
    }),
  ],
  'factors.replaceCodes': [
    nothing('all', async scene => {
      const { user } = await withApp(scene)
      return () => scene.stores.factors.replaceCodes(strong(user), [random(32)])
    }),
  ],
  'factorResets.request': [
    nothing('that is due later', async scene => {
      const { user } = await withApp(scene)
      return () => scene.stores.factorResets.request(user, 3600, byOperator)
    }),
    {
      what: 'at once: all sessions of the user',
      arrange: async scene => {
        const { user } = await withApp(scene)
        const dead = [await scene.of.user(user)]
        return { dead, work: () => scene.stores.factorResets.request(user, 0, byOperator) }
      },
    },
  ],
  'factorResets.carryOut': [
    {
      what: 'one that is due: all sessions of the user',
      arrange: async scene => {
        const { user } = await withApp(scene)
        await scene.stores.factorResets.request(user, 3600, byOperator)
        await scene.sql`update factor_resets set due_at = now() where user_id = ${user}`
        const dead = [await scene.of.user(user)]
        return { dead, work: () => scene.stores.factorResets.carryOut(user, byOperator) }
      },
    },
  ],
  'factorResets.stop': [
    nothing('one', async scene => {
      const { user } = await withApp(scene)
      await scene.stores.factorResets.request(user, 3600, byOperator)
      return () => scene.stores.factorResets.stop(user, byPerson(user))
    }),
  ],
  'pendingSignIns.begin': [
    nothing('one', async scene => {
      const { user } = await withApp(scene)
      return () => scene.stores.pendingSignIns.begin(random(32), identityOf(user))
    }),
  ],
  'pendingSignIns.read': 'reads',
  'pendingSignIns.attempt': [
    nothing('one', async scene => {
      const { user } = await withApp(scene)
      const hash = random(32)
      await scene.stores.pendingSignIns.begin(hash, identityOf(user))
      return () => scene.stores.pendingSignIns.attempt(hash)
    }),
  ],
  'pendingSignIns.cancel': [
    nothing('one', async scene => {
      const { user } = await withApp(scene)
      const hash = random(32)
      await scene.stores.pendingSignIns.begin(hash, identityOf(user))
      return () => scene.stores.pendingSignIns.cancel(hash)
    }),
  ],
  'passkeys.of': 'reads',
  'passkeys.find': 'reads',
  'passkeys.registering': 'reads',
  'passkeys.begin': [
    nothing('a challenge', async ({ stores }) => {
      const made = { purpose: 'sign-in', browser: random(32) } as const
      return () => stores.passkeys.begin(random(32), made)
    }),
  ],
  'passkeys.take': [
    nothing('a challenge', async ({ stores }) => {
      const made = { purpose: 'sign-in', browser: random(32) } as const
      const hash = random(32)
      await stores.passkeys.begin(hash, made)
      return () => stores.passkeys.take(hash, made)
    }),
  ],
  'passkeys.beginRegistration': [
    nothing('a challenge', async ({ signedIn, stores }) => {
      const { user } = await signedIn()
      return () => stores.passkeys.beginRegistration(strong(user), random(32), 'register')
    }),
  ],
  'passkeys.add': [
    nothing('one', async ({ signedIn, stores }) => {
      const { user } = await signedIn()
      const by = strong(user)
      const challengeHash = random(32)
      await stores.passkeys.beginRegistration(by, challengeHash, 'register')
      const answered = { challengeHash, purpose: 'register' } as const
      const passkey = { credential: { ...credential, id: random(16) }, name: 'Key', firstStep: false }
      return () => stores.passkeys.add(by, passkey, answered, [random(32)])
    }),
  ],
}
