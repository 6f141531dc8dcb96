/** What is hashed for an address says nothing about whether it has an account. */
import tap, { test } from 'tap'
import { createHashThreads } from '../../src/accounts/hash-threads.js'
import { type Argon2Parameters, createPasswordHasher } from '../../src/accounts/password-hash.js'
import { type NormalisedPassword, readPassword } from '../../src/accounts/password-policy.js'
import { createPasswordSignIn } from '../../src/accounts/password-sign-in.js'
import { createThrottle } from '../../src/accounts/throttle.js'
import { postgresAccountStore } from '../../src/store/postgres/accounts/account-store.js'
import { parametersInUse } from '../../src/store/postgres/accounts/parameters-in-use.js'
import { Database } from '../../src/store/postgres/database.js'
import { createLimiter } from '../../src/store/redis/limiter.js'
import { person } from '../harness/world.js'
import { testDatabase } from '../support/database.js'
import { goodPassword, lightArgon2 } from '../support/service.js'

const { sql, address } = await testDatabase(tap)
const database = new Database(address)
const writes: Promise<void>[] = []
tap.teardown(async () => {
  await Promise.all(writes)
  await database.close()
})

const today = lightArgon2
const older: Argon2Parameters = { ...today, memoryKib: 16 }
const oldest: Argon2Parameters = { ...today, passes: 2 }
const password = readPassword(goodPassword) as NormalisedPassword
const prefix = ({ memoryKib, passes, lanes }: Argon2Parameters) =>
  `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}`

/** An instance: its parts are those of the service, and each hash that its threads compute is noted. */
function instance() {
  const computed: string[] = []
  const threads = createHashThreads()
  const hasher = createPasswordHasher({
    concurrency: 2,
    queueLimit: 64,
    parameters: today,
    threads: {
      hash(password, options) {
        computed.push('new')
        return threads.hash(password, options)
      },
      verify(phc, password) {
        computed.push(phc.split('$').slice(0, -2).join('$'))
        return threads.verify(phc, password)
      },
    },
  })
  const passwords = createPasswordSignIn({
    store: postgresAccountStore(database, { spare: async () => 'superseded' as never }),
    hasher,
    throttle: createThrottle(createLimiter(undefined)),
    inBackground: (_name, work) => void writes.push(work()),
  })
  let from = 0
  return {
    learn: async () => hasher.learn(await parametersInUse(database)),
    /** What a password is compared with for each of those who have none. */
    async comparedFor(names: readonly string[]) {
      computed.length = 0
      for (const name of names) await hasher.verify(undefined, password, name)
      return [...computed]
    },
    /** What one attempt with a wrong password computes. */
    async hashedFor(email: string) {
      computed.length = 0
      from++
      const answer = await passwords.prove(
        email,
        'a wrong password, long enough',
        `10.${from >> 8}.${from & 255}.1`,
      )
      if (!('refused' in answer)) throw new Error('a wrong password was accepted')
      return [...computed]
    },
    async signIn(email: string) {
      computed.length = 0
      const answer = await passwords.prove(email, goodPassword, '192.0.2.1')
      if (!('identity' in answer)) throw new Error(answer.refused)
      return [...computed]
    },
  }
}

async function peopleWith(count: number, parameters: Argon2Parameters): Promise<string[]> {
  const maker = createPasswordHasher({ concurrency: 1, queueLimit: 1, parameters })
  const phc = await maker.hash(password)
  const emails: string[] = []
  for (let index = 0; index < count; index++) {
    const { id, email } = await person(sql)
    await sql`update passwords set phc = ${phc} where user_id = ${id}`
    emails.push(email)
  }
  return emails
}

const strangers = Array.from({ length: 400 }, (_, index) => `stranger-${index}@example.com`)

const shareOf = (hashes: readonly string[], parameters: Argon2Parameters) =>
  hashes.filter(hash => hash === prefix(parameters)).length / hashes.length

test('an unknown address costs one hash, with parameters of its own as frequent as among stored hashes', async t => {
  // The key decides who has which decoy: fixed, so that each run sees the same shares.
  await sql`update service set epoch = 4711`
  const people = await peopleWith(20, today)
  const outdated = await peopleWith(60, older)
  const rare = await peopleWith(20, oldest)
  const [one, other] = [instance(), instance()]
  await one.learn()
  await other.learn()

  t.same(await one.hashedFor(people[0] ?? ''), [prefix(today)])
  t.same(await one.hashedFor(outdated[0] ?? ''), [prefix(older)])
  t.same(await one.hashedFor(rare[0] ?? ''), [prefix(oldest)])

  const first = await one.comparedFor(strangers)
  for (const [parameters, expected] of [
    [today, 0.2],
    [older, 0.6],
    [oldest, 0.2],
  ] as const) {
    const part = shareOf(first, parameters)
    t.ok(Math.abs(part - expected) < 0.08, `${prefix(parameters)}: ${part}`)
  }
  t.same(await one.comparedFor(strangers), first, 'again the same, address by address')
  t.same(await other.comparedFor(strangers), first, 'and the same on another instance')
  for (const [index, email] of strangers.slice(0, 20).entries())
    t.same(await one.hashedFor(email), [first[index]], 'a sign-in computes this and nothing else')

  // Half of those with outdated hashes sign in: their hashes are replaced.
  for (const email of outdated.slice(0, 30)) t.same(await one.signIn(email), [prefix(older), 'new'])
  await one.learn()
  const later = await one.comparedFor(strangers)
  t.ok(shareOf(later, older) < shareOf(first, older) - 0.15, 'outdated ones are as rare as they are stored')
  for (const [index, hash] of later.entries())
    if (hash !== first[index]) t.not(first[index], prefix(today), 'as for an account: never outdated again')
  t.same(await one.hashedFor(outdated[0] ?? ''), [prefix(today)])
  t.same(await one.hashedFor(outdated[59] ?? ''), [prefix(older)])
})

test('an account without a password costs what an unknown address costs', async t => {
  await peopleWith(40, older)
  const passwordless = await peopleWith(20, today)
  await sql`delete from passwords where user_id in (select id from users where email in ${sql(passwordless)})`
  const one = instance()
  await one.learn()
  const hashes = async () => {
    const computed: string[][] = []
    for (const email of passwordless) computed.push(await one.hashedFor(email))
    return computed
  }
  const before = await hashes()
  t.ok(new Set(before.flat()).size > 1, 'not all of them the same')
  await sql`delete from users where email in ${sql(passwordless)}`
  t.same(await hashes(), before)
})

test('a stored hash with parameters that no instance bears has no decoy', async t => {
  await sql`update passwords set phc = replace(phc, 'm=16,', 'm=4194304,')`
  const one = instance()
  await one.learn()
  const found = (await parametersInUse(database)).counts
  t.ok(found.has(prefix({ ...today, memoryKib: 4_194_304 })))
  t.equal(shareOf(await one.comparedFor(strangers), { ...today, memoryKib: 4_194_304 }), 0)
})

test('stored hashes are counted by their parameters, whatever else they are', async t => {
  const phc = (parameters: string) => `${parameters}$${'A'.repeat(22)}$${'A'.repeat(43)}`
  await sql`delete from passwords`
  const users = await sql`select id from users limit 5`
  const stored = [phc(prefix(today)), phc(prefix(today)), phc('$argon2i$m=64,t=1,p=1'), 'x', '']
  for (const [index, { id }] of users.entries())
    await sql`insert into passwords (user_id, phc) values (${id}, ${stored[index] ?? ''})`
  const { counts, key } = await parametersInUse(database)
  t.same(Object.fromEntries(counts), { '': 2, '$argon2i$m=64,t=1,p=1': 1, [prefix(today)]: 2 })
  t.match(key, /^-?\d+$/)
})
