/** Writes test/vectors/feed/*.json, which every verifier that follows the feed must pass: node scripts/feed-vectors.mjs */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'

const folder = new URL('../test/vectors/feed/', import.meta.url)
const issuer = 'https://id.example.com'
const audience = 'orders-api'
/** Seconds since 1970 at which each case begins, and the monotonic clock then. */
const begin = 1764219600
const monoAtBegin = 1000
const generation = 1764000000

const base64url = bytes => Buffer.from(bytes).toString('base64url')
const sha256 = text => createHash('sha256').update(text).digest()
/** The dead handle, session and entry of a name are the same each time. */
const handle = name => base64url(sha256(`handle of ${name}`).subarray(0, 8))
const session = name => base64url(sha256(`session ${name}`).subarray(0, 16))
const handleOf = id => base64url(Buffer.from(id, 'base64url').subarray(0, 8))
const cursor = (number, branch = '') =>
  number === 0 ? '0.' : `${number}.${handle(`entry ${number}${branch}`)}`

function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
  const kid = base64url(sha256(JSON.stringify({ crv, kty, x, y })))
  return { kid, privateKey, jwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } }
}

const jwksOf = keys => ({ keys: keys.map(({ jwk }) => jwk) })
const thumbprint = keys =>
  base64url(
    sha256(
      keys
        .map(({ kid }) => kid)
        .sort()
        .join(''),
    ),
  )

function jws(key, header, payload) {
  const text = part =>
    base64url(typeof part === 'string' || Buffer.isBuffer(part) ? part : JSON.stringify(part))
  const signed = `${text(header)}.${text(payload)}`
  return `${signed}.${base64url(sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }))}`
}

/** A case that is being told: what comes in, at which second of its own, and what a verifier makes of it. */
class Case {
  steps = []
  second = 0

  constructor(name, title, { mode = 'required', maxAgeSeconds = 15, keys = [newKey()] } = {}) {
    this.name = name
    this.title = title
    this.mode = mode
    this.maxAgeSeconds = maxAgeSeconds
    this.keys = keys
    this.published = keys
  }

  get now() {
    return begin + this.second
  }

  wait(seconds) {
    this.second += seconds
    return this
  }

  payload({ from = 0, to = from, asof = this.now, more = false, dead = [], gen = generation, ...rest } = {}) {
    const cursors = {
      from: typeof from === 'number' ? cursor(from) : from,
      to: typeof to === 'number' ? cursor(to) : to,
    }
    const whom = { iss: issuer, aud: `${issuer}/v1/feed`, exp: asof + 60 }
    return { ...whom, gen, asof, ...cursors, dead, more, jwks: thumbprint(this.published), ...rest }
  }

  header(key, rest) {
    return { alg: 'ES256', typ: 'mintmark-feed+jwt', kid: key.kid, ...rest }
  }

  message({ key = this.keys[0], header, ...payload } = {}) {
    return jws(key, this.header(key, header), this.payload(payload))
  }

  /** `lines`: messages, or what makes one. `cursor`: the `after` of the next request. */
  answer(lines, { accepted = true, sentSecondsAgo = 0, ...expected }) {
    const texts = [lines].flat().map(line => (typeof line === 'string' ? line : this.message(line)))
    const times = {
      at: this.now,
      mono: monoAtBegin + this.second,
      sentMono: monoAtBegin + this.second - sentSecondsAgo,
    }
    this.steps.push({ ...times, answer: texts.join('\n'), accepted, ...named(expected) })
    return texts.at(-1)
  }

  jwks(keys, position) {
    this.published = keys
    const times = { at: this.now, mono: monoAtBegin + this.second }
    this.steps.push({ ...times, jwksAnswer: jwksOf(keys), position })
  }

  claims({ dies, gen = generation, sid = session('of nobody'), rev, ...rest } = {}) {
    const handles = ['a session', 'a user', dies].filter(name => name !== undefined).map(name => handle(name))
    return {
      iss: issuer,
      aud: audience,
      sub: 'user-1',
      sid,
      client_id: 'web',
      jti: 'token-1',
      acr: '1',
      amr: ['pwd'],
      auth_time: this.now - 60,
      iat: this.now - 1,
      exp: this.now + 299,
      rev: rev === undefined ? [gen, ...handles] : rev,
      ...rest,
    }
  }

  /** `dies`: the name of a handle in it. `rev: null`: a token without. */
  token(verdict, { key = this.keys[0], header, text, ...claims } = {}) {
    const said = this.claims(claims)
    if (said.rev === null) delete said.rev
    const token = text ?? jws(key, { alg: 'ES256', typ: 'at+jwt', kid: key.kid, ...header }, said)
    this.steps.push({ at: this.now, mono: monoAtBegin + this.second, token, verdict })
  }

  write() {
    const { title, mode, maxAgeSeconds, steps } = this
    const text = JSON.stringify(
      { title, issuer, audience, mode, maxAgeSeconds, jwks: jwksOf(this.keys), steps },
      null,
      1,
    )
    writeFileSync(new URL(`${this.name}.json`, folder), `${text}\n`)
  }
}

/** Only what a step says is compared. */
function named({ cursor: number, generation: gen = generation }) {
  const after = typeof number === 'number' ? cursor(number) : number
  return {
    ...(after !== undefined && { cursor: after }),
    ...(gen !== undefined && gen !== 'any' && { generation: gen }),
  }
}

const cases = []
function tell(name, title, options, tale) {
  const one = new Case(name, title, options)
  tale(one)
  cases.push(one)
}

tell('empty', 'a feed without entries: heartbeats keep it fresh, and silence ends that', {}, it => {
  it.token('revocation_unknown')
  it.answer({}, { cursor: 0 })
  it.token('ok')
  it.wait(3).answer({}, { cursor: 0 })
  it.wait(15).token('ok')
  it.wait(1).token('revocation_unknown')
  it.answer({}, { cursor: 0 })
  it.token('ok')
})

tell(
  'preferred',
  'a preferred feed that is stale lets tokens live until they expire',
  { mode: 'preferred' },
  it => {
    it.token('ok')
    it.token('ok', { rev: null })
    it.answer({ to: 1, dead: [handle('x')] }, { cursor: 1 })
    it.wait(60).token('ok')
    it.token('stale_token', { dies: 'x' })
  },
)

tell('off', 'without the feed nothing is stale', { mode: 'off' }, it => {
  it.token('ok')
  it.token('ok', { rev: null })
  it.token('expired', { iat: it.now - 330, exp: it.now - 30, auth_time: it.now - 330 })
  it.token('audience', { aud: 'another-api' })
})

tell('batch', 'entries end what carries their handles: by rev, or by the session', {}, it => {
  it.answer([{ to: 2, dead: [handle('x'), handle('y')] }], { cursor: 2 })
  for (const dies of ['x', 'y']) it.token('stale_token', { dies })
  it.token('ok', { dies: 'z' })
  it.wait(1).answer({ from: 2, to: 4, dead: [handle('z'), handleOf(session('s'))] }, { cursor: 4 })
  it.token('stale_token', { dies: 'z' })
  it.token('stale_token', { sid: session('s') })
  it.token('stale_token', { sid: session('s'), rev: null })
  it.token('ok', { sid: session('t') })
  it.wait(1)
  const lines = [
    { from: 4, to: 5, dead: [handle('v')], more: true },
    { from: 5, to: 6, dead: [handle('w')] },
  ]
  it.answer(lines, { cursor: 6 })
  for (const dies of ['v', 'w', 'x']) it.token('stale_token', { dies })
  it.token('ok')
})

tell('overlap', 'a message that begins before our cursor does no harm', {}, it => {
  it.answer({ to: 3, dead: [handle('x')] }, { cursor: 3 })
  it.wait(1).answer({ to: 5, dead: [handle('x'), handle('y')] }, { cursor: 5 })
  for (const dies of ['x', 'y']) it.token('stale_token', { dies })
  it.wait(1).answer({ from: 2, to: 5, dead: [handle('y')] }, { cursor: 5 })
  it.token('ok')
})

tell('gap', 'a message that begins after our cursor is asked for again, from ours', {}, it => {
  it.answer({ from: 4, to: 5 }, { accepted: false, cursor: '', generation: 'any' })
  it.answer({ to: 3, dead: [handle('x')] }, { cursor: 3 })
  it.wait(14).answer({ from: 4, to: 6, dead: [handle('z')] }, { accepted: false, cursor: 3 })
  it.token('ok', { dies: 'z' })
  it.wait(2).token('revocation_unknown')
  it.answer({ from: 5, to: 3 }, { accepted: false, cursor: 3 })
  it.answer({ from: 3, to: 6, dead: [handle('y'), handle('z')] }, { cursor: 6 })
  for (const dies of ['y', 'z']) it.token('stale_token', { dies })
  // Behind our cursor, and with news of a later time.
  it.wait(1).answer({ from: 1, to: 4 }, { accepted: false, cursor: 6 })
})

tell('replay', 'an old message changes nothing, and makes nothing fresh', {}, it => {
  const first = it.answer({ to: 1, dead: [handle('x')] }, { cursor: 1 })
  const second = it.wait(2).answer({ from: 1, to: 1 }, { cursor: 1 })
  it.wait(14).answer(second, { accepted: false, cursor: 1 })
  it.answer(first, { accepted: false, cursor: 1 })
  it.answer({ from: 1, to: 2, asof: begin + 1, dead: [handle('y')] }, { accepted: false, cursor: 1 })
  it.wait(1).token('ok', { dies: 'y' })
  it.wait(1).token('revocation_unknown')
  it.token('stale_token', { dies: 'x' })
})

tell(
  'older-generation',
  'a message of a lower generation is ignored, and a token of one is stale',
  {},
  it => {
    it.answer({ to: 2 }, { cursor: 2 })
    const old = { gen: generation - 1, dead: [handle('x')] }
    it.wait(1).answer({ from: 2, to: 3, ...old }, { accepted: false, cursor: 2 })
    it.answer({ to: 3, ...old }, { accepted: false, cursor: 2 })
    it.token('ok', { dies: 'x' })
    it.token('stale_token', { gen: generation - 1 })
    it.token('revocation_unknown', { gen: generation + 1 })
  },
)

tell('newer-generation', 'a higher generation loads everything again, beside the old sets', {}, it => {
  const gen = generation + 10
  it.answer({ to: 5, dead: [handle('x')] }, { cursor: 5 })
  // Of a generation that it has not heard of: what it holds says nothing of that.
  it.token('revocation_unknown', { gen })
  it.token('revocation_unknown', { gen, dies: 'x' })
  it.token('stale_token', { gen: generation, dies: 'x' })
  it.wait(1).answer(
    { gen, from: 5, to: 7, dead: [handle('y')] },
    { accepted: false, cursor: '', generation: gen },
  )
  it.token('revocation_unknown', { gen })
  it.token('stale_token', { gen: generation })
  it.token('revocation_unknown', { gen, dies: 'x' })
  it.wait(1).answer({ gen, to: 1, dead: [handle('v')], more: true }, { cursor: 1, generation: gen })
  it.token('revocation_unknown', { gen })
  it.token('revocation_unknown', { gen, dies: 'x' })
  it.wait(1).answer({ gen, from: 1, to: 2, dead: [handle('w')] }, { cursor: 2, generation: gen })
  for (const dies of ['v', 'w']) it.token('stale_token', { gen, dies })
  for (const dies of ['x', 'y']) it.token('ok', { gen, dies })
  it.token('stale_token', { gen: generation })
  // From the beginning, it is already the first message of the reload.
  it.wait(1).answer({ gen: gen + 1, to: 1, dead: [handle('u')] }, { cursor: 1, generation: gen + 1 })
  it.token('stale_token', { gen: gen + 1, dies: 'u' })
  it.token('ok', { gen: gen + 1, dies: 'v' })
  it.wait(1).answer({ gen, from: 2 }, { accepted: false, cursor: 1, generation: gen + 1 })
})

tell('wrong-type', 'an access token is no message, and a message is no access token', {}, it => {
  const message = it.answer({ to: 1 }, { cursor: 1 })
  it.token('type', { text: message })
  it.wait(1)
  const [key] = it.keys
  const token = jws(key, { alg: 'ES256', typ: 'at+jwt', kid: key.kid }, it.claims())
  it.answer(token, { accepted: false, cursor: 1 })
  it.answer(it.message({ from: 1, header: { typ: 'at+jwt' } }), { accepted: false, cursor: 1 })
  it.answer(jws(key, it.header(key), it.claims()), { accepted: false, cursor: 1 })
  it.token('type', { header: { typ: 'mintmark-feed+jwt' } })
  it.token('type', { header: { typ: 'AT+JWT' } })
  it.token('ok')
})

const [old, next, third, spare] = [newKey(), newKey(), newKey(), newKey()]

tell(
  'killed-key',
  'a compromised key is dead at once, stays dead, and what it said is dropped',
  { keys: [old, next] },
  it => {
    it.answer({ to: 2, dead: [handle('x')] }, { cursor: 2 })
    // A thief with the old key raises the generation and the time, and ends every token.
    const forged = { gen: generation + 9, to: 90, asof: it.now + 50, dead: [handle('a user')] }
    it.wait(1).answer(forged, { cursor: 90, generation: generation + 9 })
    it.token('stale_token', { key: next })
    it.wait(1)
    const kill = { from: 2, to: 3, dead: [handleOf(old.kid)], key: next }
    it.answer(kill, { accepted: false, cursor: '', generation: 'any' })
    it.token('stale_token', { key: old })
    // The signer of old messages is dead, too.
    it.answer({ from: 0, to: 4, key: old }, { accepted: false, cursor: '', generation: 'any' })
    it.wait(1).answer({ to: 3, dead: [handle('x'), handleOf(old.kid)], key: next }, { cursor: 3 })
    it.token('ok', { key: next })
    it.token('stale_token', { key: next, dies: 'x' })
    it.token('stale_token', { key: old })
    it.answer({ from: 3, asof: it.now + 1, key: old }, { accepted: false, cursor: 3 })
    // A list of before the kill, and one that does not say when it was read, revive nothing.
    for (const position of [`${generation}.2`, null, `${generation - 1}.99`]) {
      it.wait(1).jwks([old, next], position)
      it.token('stale_token', { key: old })
      it.answer({ from: 3, key: old }, { accepted: false, cursor: 3 })
    }
    it.jwks([next, third], `${generation}.3`)
    it.token('unknown_key', { key: old })
    it.token('ok', { key: third })
    it.wait(2).answer({ from: 3, to: 4, key: third }, { cursor: 4 })
  },
)

tell('forged-kill', 'a kill that a thief forged heals with a list of after it', { keys: [old, next] }, it => {
  it.answer({ to: 2, dead: [handle('x')] }, { cursor: 2 })
  it.wait(1)
  const kill = { from: 2, to: 5, dead: [handleOf(next.kid)] }
  it.answer(kill, { accepted: false, cursor: '', generation: 'any' })
  it.token('stale_token', { key: next })
  it.token('stale_token', { dies: 'x' })
  it.token('revocation_unknown')
  it.answer({ to: 2, dead: [handle('x')] }, { cursor: 2 })
  it.token('ok')
  it.token('stale_token', { key: next })
  it.jwks([old, next], `${generation}.4`)
  it.token('stale_token', { key: next })
  it.jwks([old, next], `${generation}.5`)
  it.token('ok', { key: next })
  it.token('stale_token', { key: next, dies: 'x' })
  it.wait(1).answer({ from: 2, to: 3, key: next }, { cursor: 3 })
})

tell('killed-by-the-past', 'a message of a lower generation kills a key, too', { keys: [old, next] }, it => {
  it.answer({ to: 2, dead: [handle('x')] }, { cursor: 2 })
  it.wait(1)
  const kill = { gen: generation - 1, from: 6, to: 7, key: next, dead: [handleOf(old.kid)] }
  it.answer(kill, { accepted: false, cursor: '', generation: 'any' })
  it.token('stale_token', { key: old })
  it.token('revocation_unknown', { key: next })
  it.answer({ to: 2, key: old }, { accepted: false, cursor: '', generation: 'any' })
  it.answer({ to: 2, key: next }, { cursor: 2 })
  it.token('ok', { key: next })
})

tell(
  'dead-signer',
  'a message by a key of nobody, of another, or that was killed is not accepted',
  { keys: [old, next] },
  it => {
    it.answer({ to: 1, key: spare }, { accepted: false, cursor: '', generation: 'any' })
    it.answer(
      { to: 1, key: spare, header: { kid: old.kid } },
      { accepted: false, cursor: '', generation: 'any' },
    )
    it.answer({ to: 1, key: next, dead: [handleOf(old.kid)] }, { cursor: 1 })
    it.wait(1).answer({ from: 1, to: 2, key: old }, { accepted: false, cursor: 1 })
    it.answer({ gen: generation + 1, key: old }, { accepted: false, cursor: 1 })
    it.token('stale_token', { key: old })
    it.token('unknown_key', { key: spare })
    it.token('signature', { key: spare, header: { kid: next.kid } })
    it.token('ok', { key: next })
  },
)

tell('kid', 'a handle can be that of a key which is not in our list yet', { keys: [old] }, it => {
  it.answer({ to: 1, dead: [handleOf(next.kid)] }, { cursor: 1 })
  it.token('ok', { key: old })
  it.jwks([old, next], `${generation}.0`)
  it.token('stale_token', { key: next })
  it.token('ok', { key: old })
})

tell('future', 'an asof of more than 60 seconds ahead is not accepted', {}, it => {
  it.answer({ asof: begin + 60.5 }, { accepted: false, cursor: '', generation: 'any' })
  it.token('revocation_unknown')
  it.answer({ asof: begin + 60 }, { cursor: 0 })
  it.token('ok')
})

tell('full-page', 'a page has 10 000 handles, and none has more', {}, it => {
  const dead = Array.from({ length: 10_000 }, (_, index) => handle(`${index}`))
  it.answer({ to: 10_000, dead, more: true }, { cursor: 10_000 })
  it.token('revocation_unknown')
  it.wait(1).answer({ from: 10_000, to: 10_000 }, { cursor: 10_000 })
  for (const dies of ['0', '5000', '9999']) it.token('stale_token', { dies })
  it.token('ok', { dies: '10000' })
  const oneMore = [...dead, handle('10000')]
  it.wait(1).answer({ from: 10_000, to: 20_001, dead: oneMore }, { accepted: false, cursor: 10_000 })
  it.token('ok', { dies: '10000' })
})

tell('two-pages', 'nothing is known before the last page', {}, it => {
  it.answer({ to: 1, dead: [handle('x')], more: true }, { cursor: 1 })
  it.token('revocation_unknown')
  it.wait(1).answer({ from: 1, to: 2, dead: [handle('y')] }, { cursor: 2 })
  for (const dies of ['x', 'y']) it.token('stale_token', { dies })
  it.token('ok')
  // Later, a page that is not the last makes nothing fresh.
  it.wait(14).answer({ from: 2, to: 3, dead: [handle('z')], more: true }, { cursor: 3 })
  it.wait(2).token('revocation_unknown')
  it.token('stale_token', { dies: 'z' })
})

tell('eviction', 'a handle is kept for 990 seconds of asof, and not for ever', {}, it => {
  it.answer({ to: 1, dead: [handle('x')] }, { cursor: 1 })
  it.wait(494).answer({ from: 1 }, { cursor: 1 })
  it.wait(1).answer({ from: 1 }, { cursor: 1 })
  it.token('stale_token', { dies: 'x' })
  it.wait(494).answer({ from: 1, to: 2, dead: [handle('y')] }, { cursor: 2 })
  it.token('stale_token', { dies: 'x' })
  it.wait(1).answer({ from: 2 }, { cursor: 2 })
  it.token('stale_token', { dies: 'y' })
  it.wait(495).answer({ from: 2 }, { cursor: 2 })
  it.token('ok', { dies: 'x' })
  it.token('stale_token', { dies: 'y' })
})

tell('eviction-of-many', 'whenever it came, a handle is kept for 990 seconds of asof', {}, it => {
  for (let round = 0; round <= 66; round++) {
    it.answer({ from: round, to: round + 1, dead: [handle(`round ${round}`)] }, { cursor: round + 1 })
    if (round >= 33) it.token('stale_token', { dies: `round ${round - 33}` })
    it.wait(30)
  }
})

tell('eviction-by-asof', 'our own clock evicts nothing', {}, it => {
  it.answer({ to: 1, dead: [handle('x')] }, { cursor: 1 })
  for (let round = 1; round < 4; round++) {
    it.wait(1000).answer({ from: 1, asof: begin + round }, { cursor: 1 })
    it.token('stale_token', { dies: 'x' })
    it.token('revocation_unknown')
  }
})

tell('slow-answer', 'an answer is as old as its request', {}, it => {
  it.wait(100).answer({}, { cursor: 0, sentSecondsAgo: 16 })
  it.token('revocation_unknown')
  it.wait(1).answer({}, { cursor: 0, sentSecondsAgo: 10 })
  it.token('ok')
  it.wait(5).token('ok')
  it.wait(1).token('revocation_unknown')
})

tell('old-answer', 'a cache or relay that is minutes behind makes nothing fresh', {}, it => {
  it.wait(300).answer({ asof: it.now - 100 }, { cursor: 0 })
  it.token('revocation_unknown')
  it.wait(1).answer({ asof: it.now - 46 }, { cursor: 0 })
  it.token('revocation_unknown')
  it.wait(1).answer({ asof: it.now - 45 }, { cursor: 0 })
  it.token('ok')
  const again = it.wait(1).answer({ to: 1, asof: it.now - 2, dead: [handle('x')] }, { cursor: 1 })
  for (let round = 0; round < 3; round++) it.wait(5).answer(again, { accepted: false, cursor: 1 })
  it.token('ok')
  it.wait(1).token('revocation_unknown')
})

tell('without-rev', 'a token of an earlier release is stale where the feed is required', {}, it => {
  it.token('stale_token', { rev: null })
  it.answer({}, { cursor: 0 })
  it.token('stale_token', { rev: null })
  it.token('ok')
})

tell('rev', 'a claim rev that is not one is no claim', {}, it => {
  it.answer({}, { cursor: 0 })
  const some = handle('x')
  const wrong = [
    ...[
      '',
      {},
      [],
      [some],
      [`${generation}`, some],
      [1.5, some],
      [-1, some],
      [generation, 5],
      [generation, `${some}A`],
    ],
    ...[
      [generation, some.slice(1)],
      [generation, `${some.slice(0, 10)}B`],
      [2 ** 53, some],
      [generation, null],
    ],
  ]
  for (const rev of wrong) it.token('claims', { rev })
  it.token('ok', { rev: [generation, some] })
})

tell('fork', 'another entry at our number: stale, with our sets, until the generation rises', {}, it => {
  it.answer({ to: 5, dead: [handle('x')] }, { cursor: 5 })
  const branch = number => cursor(number, ' of another branch')
  it.wait(1).answer({ from: branch(5), to: branch(6) }, { accepted: false, cursor: '' })
  it.token('revocation_unknown')
  it.token('stale_token', { dies: 'x' })
  it.wait(1).answer({ to: branch(6), dead: [handle('y')] }, { accepted: false, cursor: '' })
  it.token('revocation_unknown')
  it.token('stale_token', { dies: 'x' })
  const gen = generation + 1
  it.wait(1).answer({ gen, to: 1, dead: [handle('y')] }, { cursor: 1, generation: gen })
  it.token('ok', { gen, dies: 'x' })
  it.token('stale_token', { gen, dies: 'y' })
  it.token('stale_token', { dies: 'x' })
})

tell('fork-at-the-end', 'another entry at the number of `to` is a fork, too', {}, it => {
  it.answer({ to: 5 }, { cursor: 5 })
  it.wait(1).answer({ from: 3, to: cursor(5, ' of another branch') }, { accepted: false, cursor: '' })
  it.token('revocation_unknown')
})

tell('malformed', 'a message with anything out of its form changes nothing', {}, it => {
  it.answer({ to: 5, dead: [handle('x')] }, { cursor: 5 })
  it.wait(1)
  const [key] = it.keys
  const good = () => it.payload({ from: 5, to: 6, dead: [handle('y')] })
  const refuse = line => it.answer(line, { accepted: false, cursor: 5 })
  const y = handle('y')
  const tag = cursor(6).slice(1)
  const values = {
    iss: ['https://id.example.com/', 'https://other.example.com', [issuer], null],
    aud: [issuer, 'orders-api', [`${issuer}/v1/feed`], null],
    gen: [`${generation}`, -1, 1764000000.5, 2 ** 53, null, true],
    asof: [`${begin}`, null, [begin], true],
    from: [
      '',
      5,
      '5',
      '5.',
      `05${tag}`,
      `-1${tag}`,
      `0${tag}`,
      `5.${y}A`,
      `5.${y.slice(1)}`,
      `5 ${tag}`,
      null,
    ],
    to: [
      '',
      '6',
      `06${tag}`,
      `9007199254740993${tag}`,
      `99999999999999999999${tag}`,
      `6.0${tag}`,
      `1e1${tag}`,
      null,
    ],
    dead: [
      y,
      { 0: y },
      null,
      [y.slice(1)],
      [`${y}A`],
      [''],
      [5],
      [null],
      [[y]],
      [`${y.slice(0, 10)}B`],
      [`+${y.slice(1)}`],
      [`${y}\n`],
    ],
    more: [0, 'false', null],
    jwks: ['', y, 5, null, `${thumbprint(it.keys)}=`],
  }
  for (const [name, wrong] of Object.entries(values)) {
    for (const value of wrong) refuse(jws(key, it.header(key), { ...good(), [name]: value }))
    const { [name]: _, ...without } = good()
    refuse(jws(key, it.header(key), without))
  }
  const text = JSON.stringify(good())
  const texts = [
    text.replace('"more":false', '"more":NaN'),
    text.replace(/"asof":\d+/, '"asof":NaN'),
    text.replace(/"asof":\d+/, '"asof":Infinity'),
    text.replace(/"asof":\d+/, '"asof":1e999'),
    text.replace(/"gen":\d+/, '"gen":9007199254740993'),
    text.replace('"dead":', '"dead":[],"dead":'),
    text.replace('"dead":', '"de\\u0061d":[],"dead":'),
    text.replace('"more":false', '"more":true,"more":false'),
    text.replace('"iss":', '"note":"\\ud800","iss":'),
    text.replace('"iss":', '"note":NaN,"iss":'),
    text.replace('"iss":', '"note":{"a":1,"a":2},"iss":'),
    text.replace('"iss":', `"note":${'['.repeat(50)}${']'.repeat(50)},"iss":`),
    `\ufeff${text}`,
    `${text}x`,
    text.slice(0, -1),
    `[${text}]`,
    'null',
    '',
    Buffer.concat([
      Buffer.from(text.replace('"iss":', '"note":"'), 'utf8').subarray(0, 9),
      Buffer.from([0xff]),
      Buffer.from(`","iss":${text.slice(7)}`),
    ]),
  ]
  for (const payload of texts) refuse(jws(key, it.header(key), payload))
  const headers = [
    { alg: 'none' },
    { alg: 'ES384' },
    { typ: 'JWT' },
    { typ: 'mintmark-feed+JWT' },
    { crit: ['b64'] },
  ]
  for (const header of [...headers, { jwk: key.jwk }, { kid: undefined }, { kid: y }]) {
    refuse(jws(key, it.header(key, header), good()))
  }
  const line = jws(key, it.header(key), good())
  const [head, payload, signature] = line.split('.')
  const der = base64url(sign('sha256', Buffer.from(`${head}.${payload}`), key.privateKey))
  const lines = ['x', '<html>', '..', `${head}.${payload}`, `${head}.${payload}.`, `${line}=`, `${line}.`]
  const signatures = [der, 'A'.repeat(86), `${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : 'A'}`]
  for (const one of [...lines, ...signatures.map(wrong => `${head}.${payload}.${wrong}`)]) refuse(one)
  refuse(`${head}.${base64url(JSON.stringify({ ...good(), dead: [] }))}.${signature}`)
  it.token('ok', { dies: 'y' })
  // Members that a later release adds are passed over.
  it.answer({ from: 5, to: 6, dead: [y], note: 'new' }, { cursor: 6 })
  it.token('stale_token', { dies: 'y' })
})

mkdirSync(folder, { recursive: true })
for (const one of cases) one.write()
console.log(`${cases.length} files, ${cases.reduce((sum, { steps }) => sum + steps.length, 0)} steps`)
