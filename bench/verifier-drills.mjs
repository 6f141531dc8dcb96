// Our verifier and jose's remote key set in the same trouble, by a clock that is moved by hand: jose reads Date.now, so
// that is replaced while a drill runs. Each drill answers with one row: what happened, ours, jose's.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { calculateJwkThumbprint, createRemoteJWKSet, customFetch, jwtVerify } from 'jose'

const issuer = 'https://id.example.com'
const audience = 'https://api.example.com'
const start = 1_800_000_000

export async function runDrills(createVerifier) {
  const rows = []
  for (const drill of [rotation, outage, recovery, withdrawn, unannounced, flood, floodInOutage])
    rows.push(await drill(createVerifier))
  return rows
}

/** Both in one world, one after the other: `play` gets the world and answers with a figure. */
async function both(createVerifier, what, play) {
  const figures = []
  for (const open of [world => ours(createVerifier, world), jose]) {
    const world = await newWorld()
    const { now } = Date
    Date.now = () => world.now
    const subject = open(world)
    try {
      figures.push(await play(world, subject))
    } finally {
      Date.now = now
      subject.close?.()
    }
  }
  return { what, ours: figures[0], jose: figures[1] }
}

function ours(createVerifier, world) {
  const clock = { now: () => world.now, after: world.after }
  const verifier = createVerifier({ issuer, audience, fetch: world.fetch, clock, revocation: 'off' })
  return {
    accepts: async token => (await verifier.verify(token)).ok,
    settled: () => until(() => !verifier.health().fetching),
    close: verifier.close,
  }
}

function jose(world) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), { [customFetch]: world.fetch })
  const policy = { issuer, audience, algorithms: ['ES256'], typ: 'at+jwt', clockTolerance: 30 }
  return {
    accepts: token =>
      jwtVerify(token, keys, { ...policy, currentDate: new Date(world.now) }).then(
        () => true,
        () => false,
      ),
    settled: () => until(() => !keys.reloading),
  }
}

const seconds = async (world, { settled }, count, each) => {
  for (let second = 1; second <= count; second++) {
    world.advance(1)
    await settled()
    await each(second)
  }
}

const rotation = createVerifier =>
  both(createVerifier, 'three announced rotations: valid tokens rejected', async (world, subject) => {
    let refused = 0
    for (let round = 0; round < 3; round++) {
      const next = await newKey()
      world.keys.push(next)
      await seconds(world, subject, 1_200, async second => {
        if (second % 10 === 0 && !(await subject.accepts(world.token()))) refused++
      })
      world.keys = [next, world.keys[0]]
      await seconds(world, subject, 330, async second => {
        const key = world.keys[second % 2]
        if (second % 10 < 2 && !(await subject.accepts(world.token(key)))) refused++
      })
      world.keys = [next]
    }
    return refused
  })

const outage = createVerifier =>
  both(createVerifier, 'outage of 20 minutes: valid tokens rejected, of 240', async (world, subject) => {
    await subject.accepts(world.token())
    world.down = true
    let refused = 0
    await seconds(world, subject, 1_200, async second => {
      if (second % 5 === 0 && !(await subject.accepts(world.token()))) refused++
    })
    return refused
  })

const recovery = createVerifier =>
  both(createVerifier, 'the same outage: requests to the issuer that is down', async (world, subject) => {
    await subject.accepts(world.token())
    world.down = true
    const before = world.requests
    await seconds(world, subject, 1_200, async second => {
      if (second % 5 === 0) await subject.accepts(world.token())
    })
    return world.requests - before
  })

const withdrawn = createVerifier =>
  both(
    createVerifier,
    'a leaked key is withdrawn: seconds for which it is accepted',
    async (world, subject) => {
      await subject.accepts(world.token())
      const [leaked] = world.keys
      world.keys = [await newKey()]
      let last = 0
      await seconds(world, subject, 900, async second => {
        if (second % 5 === 0 && (await subject.accepts(world.token(leaked)))) last = second
      })
      return last
    },
  )

const unannounced = createVerifier =>
  both(
    createVerifier,
    'an unannounced key, a second after a fetch: seconds for which it is rejected',
    async (world, subject) => {
      await subject.accepts(world.token())
      world.keys = [await newKey()]
      let first = 0
      await seconds(world, subject, 60, async second => {
        if (!first && (await subject.accepts(world.token()))) first = second
      })
      return first
    },
  )

/** None is looked at beyond its header, so one signature does for all. */
const randomKids = (world, subject) => async () => {
  const [, payload, signature] = world.token().split('.')
  for (let count = 0; count < 1_000; count++) {
    const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: randomBytes(32).toString('base64url') })
    await subject.accepts(`${header}.${payload}.${signature}`)
  }
}

const flood = createVerifier =>
  both(createVerifier, '10 000 random kids in 10 s: requests to the issuer', async (world, subject) => {
    await subject.accepts(world.token())
    await seconds(world, subject, 60, async () => {})
    const before = world.requests
    await seconds(world, subject, 10, randomKids(world, subject))
    return world.requests - before
  })

const floodInOutage = createVerifier =>
  both(createVerifier, 'the same while the issuer is down: requests', async (world, subject) => {
    await subject.accepts(world.token())
    await seconds(world, subject, 60, async () => {})
    world.down = true
    const before = world.requests
    await seconds(world, subject, 10, randomKids(world, subject))
    return world.requests - before
  })

async function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const bare = publicKey.export({ format: 'jwk' })
  const kid = await calculateJwkThumbprint(bare)
  return { kid, privateKey, jwk: { ...bare, kid, alg: 'ES256', use: 'sig' } }
}

const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token as the service mints it. */
export function tokenOf({ kid, privateKey }, iat) {
  const id = 'AAECAwQFBgcICQoLDA0ODw'
  const claims = {
    iss: issuer,
    sub: 'd9b2c7a0-5b0f-4b1e-8a58-0c6e0f7a2d11',
    aud: audience,
    exp: iat + 300,
    iat,
    jti: id,
    client_id: 'app',
    sid: id,
    auth_time: iat - 60,
    acr: 'aal1',
    amr: ['pwd'],
    tenant: '3f0e1c52-7d1c-4f0a-9a63-5a3f0f9f6a10',
    roles: ['reader', 'writer'],
    permissions: ['doc:read', 'doc:write'],
  }
  const input = `${encode({ alg: 'ES256', typ: 'at+jwt', kid })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

async function newWorld() {
  let timers = []
  const world = {
    now: start * 1000,
    keys: [await newKey()],
    requests: 0,
    down: false,
    token: (key = world.keys[0]) => tokenOf(key, Math.floor(world.now / 1000)),
    after(milliseconds, work) {
      const timer = { at: world.now + milliseconds, work }
      timers.push(timer)
      return () => {
        timers = timers.filter(other => other !== timer)
      }
    },
    advance(count) {
      world.now += count * 1000
      const due = timers.filter(({ at }) => at <= world.now)
      timers = timers.filter(({ at }) => at > world.now)
      for (const { work } of due) work()
    },
    async fetch(url) {
      world.requests++
      if (world.down) throw new TypeError('fetch failed')
      const headers = { date: new Date(world.now).toUTCString() }
      return url.endsWith('/jwks.json')
        ? Response.json({ keys: world.keys.map(({ jwk }) => jwk) }, { headers })
        : Response.json({ issuer, jwks_uri: `${issuer}/.well-known/jwks.json` }, { headers })
    },
  }
  return world
}

async function until(what) {
  while (!what()) await new Promise(resolve => setImmediate(resolve))
}

export { audience, issuer, newKey }
