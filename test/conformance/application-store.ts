/** The rules of src/tenants/applications.ts, for every back end. */
import { test } from 'tap'
import type { NewApplication } from '../../src/tenants/applications.js'
import { byOperator, type OpenWorld, register, times } from './world.js'

const application = (clientId: string, ...origins: string[]): NewApplication => ({
  clientId,
  name: `${clientId} "quoted" \\ Ünïcode`,
  origins,
  returnAddresses: origins.map(origin => `${origin}/a,"{b}?c=ü`),
  audiences: [`${clientId}-api`],
  tokenLifetimeSeconds: 120,
})

export function applicationStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of an application store`, async t => {
    const world = await open(t)
    const { applications, arrange } = world

    await t.test('an application without origins can be registered, and owns none', async t => {
      t.equal(await register(world, application('bare')), 'created')
      t.equal((await applications.origins()).size, 0)
    })

    await t.test('each origin names its owner, with no grant that nobody gave', async t => {
      const owned = {
        one: ['http://localhost:1', 'http://localhost:2'],
        two: ['http://localhost:3'],
      }
      t.equal(await register(world, application('one', ...owned.one)), 'created')
      t.equal(await register(world, application('two', ...owned.two)), 'created')
      t.strictSame(
        [...(await applications.origins())].sort(),
        (['one', 'one', 'two'] as const).map((clientId, i) => [
          `http://localhost:${i + 1}`,
          {
            clientId,
            name: application(clientId).name,
            grants: [],
            returnAddresses: application('', ...owned[clientId]).returnAddresses,
          },
        ]),
      )
    })

    await t.test('the origins of a disabled application are nobody’s until it is enabled again', async t => {
      await arrange.setApplicationState('one', 'disabled')
      t.strictSame([...(await applications.origins()).keys()], ['http://localhost:3'])
      await arrange.setApplicationState('one', 'enabled')
      t.equal((await applications.origins()).size, 3)
    })

    await t.test('an origin belongs to one application, also while that one is disabled', async t => {
      for (const state of ['enabled', 'disabled'] as const) {
        await arrange.setApplicationState('two', state)
        const answer = await register(world, application('three', 'http://localhost:4', 'http://localhost:3'))
        t.strictSame(answer, { originTaken: 'http://localhost:3' })
      }
      await arrange.setApplicationState('two', 'enabled')
      t.notOk((await applications.origins()).has('http://localhost:4'), 'nothing of it was kept')
      t.equal(await register(world, application('three', 'http://localhost:4')), 'created')
    })

    await t.test('a client id belongs to one application, and the first stays as it was', async t => {
      t.equal(await register(world, application('one', 'http://localhost:5')), 'client-id-taken')
      const origins = await applications.origins()
      t.notOk(origins.has('http://localhost:5'))
      t.match(origins.get('http://localhost:1'), {
        clientId: 'one',
        grants: [],
        returnAddresses: application('', 'http://localhost:1', 'http://localhost:2').returnAddresses,
      })
    })

    await t.test('return addresses are replaced as a whole, and stay when others change', async t => {
      const addresses = async () => (await applications.origins()).get('http://localhost:3')?.returnAddresses
      const before = await addresses()
      await applications.change('two', { name: 'Two' }, byOperator)
      t.strictSame(await addresses(), before)
      t.match(await applications.change('two', { returnAddresses: ['http://localhost:3/'] }, byOperator), {
        returnAddresses: ['http://localhost:3/'],
      })
      t.strictSame(await addresses(), ['http://localhost:3/'])
      await applications.change('two', { returnAddresses: [] }, byOperator)
      t.strictSame(await addresses(), [])
    })

    await t.test('of ten registrations of one client id at once one is made', async t => {
      const answers = await times(10, i =>
        register(world, application('contested', `http://localhost:${100 + i}`)),
      )
      t.equal(answers.filter(answer => answer === 'created').length, 1)
      t.equal(answers.filter(answer => answer === 'client-id-taken').length, 9)
      const owned = [...(await applications.origins()).values()].filter(
        ({ clientId }) => clientId === 'contested',
      )
      t.equal(owned.length, 1)
    })

    await t.test(
      'of two applications that claim one origin at once one gets it, and the other hears so',
      async t => {
        let work: Promise<unknown[]> | undefined
        await arrange.whileHeld({ writesOf: 'application_origins' }, async () => {
          work = Promise.all(
            ['left', 'right'].map(clientId => register(world, application(clientId, 'http://localhost:200'))),
          )
          work.catch(() => {})
          await arrange.waiters(2)
        })
        const answers = await work?.catch((error: Error) => error)
        t.type(answers, Array, `${answers}`)
        const [winner, loser] = [answers].flat()[0] === 'created' ? ['left', 'right'] : ['right', 'left']
        t.strictSame(
          [answers].flat().filter(answer => answer !== 'created'),
          [{ originTaken: 'http://localhost:200' }],
        )
        t.equal((await applications.origins()).get('http://localhost:200')?.clientId, winner)
        t.equal(await register(world, application(loser ?? '')), 'created', 'nothing of the loser was kept')
      },
    )

    await t.test('of two applications that claim two origins in opposite order one gets both', async t => {
      const [a, b] = ['http://localhost:300', 'http://localhost:301']
      for (let round = 0; round < 10; round++) {
        const [x, y] = [`${a}${round}`, `${b}${round}`]
        const settled = await Promise.allSettled([
          register(world, application(`to-${round}`, x, y)),
          register(world, application(`fro-${round}`, y, x)),
        ])
        const answers = settled.map(one => (one.status === 'fulfilled' ? one.value : one.reason))
        t.equal(answers.filter(answer => answer === 'created').length, 1)
        t.equal(
          answers.filter(answer => Object.hasOwn(Object(answer), 'originTaken')).length,
          1,
          `${answers}`,
        )
        const origins = await applications.origins()
        t.equal(origins.get(x)?.clientId, origins.get(y)?.clientId)
      }
    })
  })
}
