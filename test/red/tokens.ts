/** Tampered access tokens as data, each with the attack's name: no verifier may take one of them. */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A token that verifies, with everything its issuer knows: the attacks are made from it. */
export interface Genuine {
  readonly token: string
  readonly private: KeyObject
  readonly issuer: string
  readonly audience: string
  /** An address where nobody must ever come asking. */
  readonly canary: string
}

export interface Tampered {
  readonly attack: string
  readonly token: string
  /** Set where jose takes it: why that is so, and why only a stricter verifier refuses. */
  readonly joseTakesIt?: string
}

type Claims = Record<string, unknown>
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const encode = (value: unknown) =>
  (Buffer.isBuffer(value)
    ? value
    : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  ).toString('base64url')
const number = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`)
const bytes = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

export function tamperedTokens(genuine: Genuine): Tampered[] {
  const parts = genuine.token.split('.') as [string, string, string]
  const header = JSON.parse(Buffer.from(parts[0], 'base64url').toString()) as Claims
  const claims = JSON.parse(Buffer.from(parts[1], 'base64url').toString()) as Claims
  const kit = { genuine, parts, header, claims, now: claims.iat as number }
  return [
    ...algorithms(kit),
    ...foreignKeys(kit),
    ...headers(kit),
    ...signatures(kit),
    ...payloads(kit),
    ...statements(kit),
    ...spellings(kit),
    ...ambiguities(kit),
    ...oversize(kit),
  ]
}

interface Kit {
  readonly genuine: Genuine
  readonly parts: [string, string, string]
  readonly header: Claims
  readonly claims: Claims
  readonly now: number
}

/** Signed as the issuer signs, by the issuer's key unless told otherwise. A text or bytes are signed as they stand. */
function signed({ genuine }: Kit, header: unknown, payload: unknown, key = genuine.private): string {
  const input = `${encode(header)}.${encode(payload)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** A claim set to undefined is left out. */
const withClaims = (kit: Kit, more: Claims) => signed(kit, kit.header, { ...kit.claims, ...more })
const withHeader = (kit: Kit, more: Claims) => signed(kit, { ...kit.header, ...more }, kit.claims)

function algorithms(kit: Kit): Tampered[] {
  const { genuine, parts, header } = kit
  const none = ['none', 'None', 'NONE', 'nOnE', '', null, 0, [], undefined].flatMap(alg => {
    const input = `${encode({ ...header, alg })}.${parts[1]}`
    return ['', parts[2]].map(signature => ({
      attack: `alg ${JSON.stringify(alg) ?? 'absent'} ${signature ? 'with' : 'without'} a signature`,
      token: `${input}.${signature}`,
    }))
  })
  const publicKey = createPublicKey(genuine.private)
  const jwk = publicKey.export({ format: 'jwk' })
  const secrets: [string, Buffer | string][] = [
    ['the PEM', publicKey.export({ format: 'pem', type: 'spki' })],
    ['the PEM without its last line break', String(publicKey.export({ format: 'pem', type: 'spki' })).trim()],
    ['the DER', publicKey.export({ format: 'der', type: 'spki' })],
    ['the JWK', JSON.stringify(jwk)],
    ['the x coordinate', jwk.x ?? ''],
    ['the bytes of the x coordinate', Buffer.from(jwk.x ?? '', 'base64url')],
    ['nothing', ''],
  ]
  const confused = secrets.flatMap(([what, secret]) =>
    [256, 384, 512].map(bits => {
      const input = `${encode({ ...header, alg: `HS${bits}` })}.${parts[1]}`
      const mac = createHmac(`sha${bits}`, secret).update(input).digest('base64url')
      return { attack: `HS${bits} under ${what} of the public key`, token: `${input}.${mac}` }
    }),
  )
  const swapped = [
    'ES384',
    'ES512',
    'ES256K',
    'RS256',
    'PS256',
    'EdDSA',
    'Ed25519',
    'HS256',
    'es256',
    'ES256 ',
  ].map(alg => ({
    attack: `the issuer's signature under alg ${JSON.stringify(alg)}`,
    token: withHeader(kit, { alg }),
  }))
  return [...none, ...confused, ...swapped]
}

function foreignKeys(kit: Kit): Tampered[] {
  const { header, claims, genuine } = kit
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = pair.publicKey.export({ format: 'jwk' })
  const foreign = (attack: string, more: Claims): Tampered => ({
    attack: `a foreign key, ${attack}`,
    token: signed(kit, { ...header, ...more }, claims, pair.privateKey),
  })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return [
    foreign('the kid kept', {}),
    foreign('in the header', { jwk }),
    foreign('in the header, without a kid', { jwk, kid: undefined }),
    foreign('in the header, under the issuer’s kid', { jwk: { ...jwk, kid: header.kid } }),
    foreign('behind jku', { jku: `${genuine.canary}/jwks.json` }),
    foreign('behind x5u', { x5u: `${genuine.canary}/chain.pem` }),
    foreign('as x5c', { x5c: [pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')] }),
    foreign('under a path as kid', { kid: '../../../../dev/null' }),
    foreign('under SQL as kid', { kid: "' or '1'='1" }),
    foreign('under a URL as kid', { kid: `${genuine.canary}/key` }),
    ...[null, 0, true, {}, ['x'], '', '__proto__', 'constructor'].map(kid =>
      foreign(`under kid ${JSON.stringify(kid)}`, { kid }),
    ),
    { attack: 'a P-384 key', token: signed(kit, header, claims, p384) },
    { attack: 'an RSA key under RS256', token: signed(kit, { ...header, alg: 'RS256' }, claims, rsa) },
    { attack: 'an unknown kid over the issuer’s signature', token: withHeader(kit, { kid: 'A'.repeat(43) }) },
  ]
}

function headers(kit: Kit): Tampered[] {
  const types = [
    'JWT',
    'jwt',
    'id+jwt',
    'logout+jwt',
    'secevent+jwt',
    'statuslist+jwt',
    'dpop+jwt',
    'at',
    '',
    null,
  ]
  const wrong = [...types, ['at+jwt'], undefined].map(typ => ({
    attack: `another token of the issuer: typ ${JSON.stringify(typ) ?? 'absent'}`,
    token: withHeader(kit, { typ }),
  }))
  const crit: Claims[] = [
    { crit: ['exp'], exp: 1 },
    { crit: ['exp'] },
    { crit: [] },
    { crit: ['made-up'], 'made-up': true },
    { crit: ['b64'], b64: false },
    { crit: 'b64', b64: true },
    { crit: ['alg'] },
    { crit: null },
  ]
  return [
    ...wrong,
    ...crit.map(more => ({
      attack: `critical header ${JSON.stringify(more)}`,
      token: withHeader(kit, more),
    })),
    { attack: 'a header that is a list', token: signed(kit, [kit.header], kit.claims) },
    { attack: 'a header that is null', token: signed(kit, 'null', kit.claims) },
    { attack: 'a header that is no JSON', token: signed(kit, '{"alg":"ES256"', kit.claims) },
    { attack: 'a header in its own encoding', token: signed(kit, encode(kit.header), kit.claims) },
  ]
}

function signatures({ parts: [header, payload, signature] }: Kit): Tampered[] {
  const raw = Buffer.from(signature, 'base64url')
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)]
  const zero = Buffer.alloc(32)
  const integer = (value: Buffer) => {
    const short = bytes(number(value)).subarray(value.findIndex(byte => byte !== 0))
    const body = (short[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), short]) : short
    return Buffer.concat([Buffer.from([2, body.length]), body])
  }
  const sequence = Buffer.concat([integer(r), integer(s)])
  const flipped = (at: number) => {
    const copy = Buffer.from(raw)
    copy[at] = (copy[at] ?? 0) ^ 1
    return copy
  }
  const list: [string, Buffer][] = [
    ['empty', Buffer.alloc(0)],
    ['of zeros', Buffer.alloc(64)],
    ['with r = 0', Buffer.concat([zero, s])],
    ['with s = 0', Buffer.concat([r, zero])],
    ['with r = n', Buffer.concat([bytes(order), s])],
    ['with s = n', Buffer.concat([r, bytes(order)])],
    ['with r = n + 1, s = 1', Buffer.concat([bytes(order + 1n), bytes(1n)])],
    ['with r = s = 1', Buffer.concat([bytes(1n), bytes(1n)])],
    ['of ones', Buffer.alloc(64, 0xff)],
    ['with r and s exchanged', Buffer.concat([s, r])],
    ['with r negated', Buffer.concat([bytes(order - number(r)), s])],
    ['with its first bit flipped', flipped(0)],
    ['with its last bit flipped', flipped(63)],
    ['cut by a byte', raw.subarray(0, 63)],
    ['cut in half', r],
    ['with a byte more', Buffer.concat([raw, Buffer.from([0])])],
    ['with a byte before', Buffer.concat([Buffer.from([0]), raw])],
    ['twice', Buffer.concat([raw, raw])],
    ['as long as one of P-384', Buffer.concat([Buffer.alloc(16), r, Buffer.alloc(16), s])],
    ['in DER', Buffer.concat([Buffer.from([0x30, sequence.length]), sequence])],
    ['as its own hex text', Buffer.from(raw.toString('hex'))],
  ]
  return list.map(([what, value]) => ({
    attack: `a signature ${what}`,
    token: `${header}.${payload}.${value.toString('base64url')}`,
  }))
}

/** The issuer's signature over something else. */
function payloads({ parts: [header, , signature], claims, now }: Kit): Tampered[] {
  const changes: [string, Claims][] = [
    ['another person', { sub: '00000000-0000-4000-8000-000000000000' }],
    ['another session', { sid: 'A'.repeat(22) }],
    ['a longer life', { exp: now + 86_400 }],
    ['another audience', { aud: 'somewhere-else' }],
    ['another role', { roles: ['admin'] }],
    ['a stronger proof', { acr: 'aal2', amr: ['pwd', 'hwk'] }],
  ]
  const list = changes.map(([what, more]) => ({
    attack: `${what} under the old signature`,
    token: `${header}.${encode({ ...claims, ...more })}.${signature}`,
  }))
  const spaced = encode(JSON.stringify(claims, null, 1))
  return [
    ...list,
    { attack: 'white space in the payload', token: `${header}.${spaced}.${signature}` },
    { attack: 'an empty payload', token: `${header}..${signature}` },
    { attack: 'an empty header', token: `.${encode(claims)}.${signature}` },
  ]
}

/** Really signed by the issuer's key, and still not an access token for this audience now. */
function statements(kit: Kit): Tampered[] {
  const { genuine, header, claims, now } = kit
  const { issuer, audience } = genuine
  const values: Record<string, unknown[]> = {
    iss: [
      undefined,
      null,
      [issuer],
      `${issuer}/`,
      issuer.slice(0, -1),
      issuer.toUpperCase(),
      `${issuer}.evil.example`,
      '',
    ],
    aud: [
      undefined,
      null,
      '',
      [],
      ['somewhere-else'],
      `${audience}x`,
      audience.slice(0, -1),
      audience.toUpperCase(),
      ` ${audience}`,
      { [audience]: true },
      [[audience]],
      `${audience},somewhere-else`,
    ],
    exp: [undefined, null, 0, -1, now - 3600, String(now + 300), [now + 300], true],
    nbf: [now + 3600, 'now', null],
    iat: ['now', null, [now]],
    sub: [undefined],
    sid: [undefined],
    jti: [undefined],
    client_id: [undefined],
  }
  const wrong = Object.entries(values).flatMap(([name, list]) =>
    list.map(value => ({
      attack: `${name} ${JSON.stringify(value) ?? 'absent'}`,
      token: withClaims(kit, { [name]: value }),
    })),
  )
  const json = JSON.stringify(claims)
  const bodies: [string, string][] = [
    ['a list', `[${json}]`],
    ['a text', JSON.stringify(json)],
    ['a number', '1'],
    ['null', 'null'],
    ['empty', ''],
    ['no JSON', json.slice(0, -1)],
    ['JSON and more', `${json}{}`],
  ]
  const lenient =
    'jose judges the values of the claims it knows; a profile (RFC 9068) is its caller’s to hold'
  const loose: [string, unknown][] = [
    ['sub', 7],
    ['sid', { $ne: null }],
    ['roles', 'admin'],
    ['permissions', { includes: true }],
    ['amr', 'pwd'],
    ['iat', now + 3600],
  ]
  return [
    ...wrong,
    ...bodies.map(([what, body]) => ({
      attack: `a signed payload: ${what}`,
      token: signed(kit, header, body),
    })),
    {
      attack: 'an audience beside others',
      token: withClaims(kit, { aud: [audience, 'somewhere-else'] }),
      joseTakesIt: 'RFC 7519 allows several audiences; a token of this issuer has one',
    },
    ...loose.map(([name, value]) => ({
      attack: `${name} ${JSON.stringify(value)}`,
      token: withClaims(kit, { [name]: value }),
      joseTakesIt: lenient,
    })),
  ]
}

function spellings({ genuine: { token }, parts: [header, payload, signature] }: Kit): Tampered[] {
  const variants: [string, string][] = [
    ['nothing', ''],
    ['one part', header],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${token}.${signature}`],
    ['five parts, like a JWE', `${header}.${payload}.${signature}.${payload}.${signature}`],
    ['a dot more', `${token}.`],
    ['a dot before', `.${token}`],
    ['white space before', ` ${token}`],
    ['white space between', `${header}. ${payload}.${signature}`],
    ['a line break inside', `${header}.${payload.slice(0, 40)}\n${payload.slice(40)}.${signature}`],
    ['padding after the header', `${header}=.${payload}.${signature}`],
    ['padding after the payload', `${header}.${payload}=.${signature}`],
    ['a NUL after', `${token}\0`],
    ['Bearer before', `Bearer ${token}`],
    ['quotes around', `"${token}"`],
    ['flattened JSON', JSON.stringify({ protected: header, payload, signature })],
    ['general JSON', JSON.stringify({ payload, signatures: [{ protected: header, signature }] })],
    ['the payload in percent-encoding', `${header}.${encodeURIComponent(`${payload}%`)}.${signature}`],
    ['parts exchanged', `${payload}.${header}.${signature}`],
    [
      'a character outside the alphabet',
      `${header}.${payload}.${signature.slice(0, 50)}*${signature.slice(51)}`,
    ],
    ['a million dots', '.'.repeat(1_000_000)],
  ]
  const lenient = 'jose decodes the signature leniently; nothing that was signed differs'
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const lastCharacter = alphabet[alphabet.indexOf(signature.at(-1) ?? '') ^ 1]
  const loose: [string, string][] = [
    ['a line break after', `${token}\n`],
    ['padding after the signature', `${token}==`],
    ['unused bits of the signature set', `${token.slice(0, -1)}${lastCharacter}`],
  ]
  return [
    ...variants.map(([what, spelled]) => ({ attack: `spelled otherwise: ${what}`, token: spelled })),
    ...loose.map(([what, spelled]) => ({
      attack: `spelled otherwise: ${what}`,
      token: spelled,
      joseTakesIt: lenient,
    })),
  ]
}

/** Really signed, and read in two ways by two readers, or in none at all. */
function ambiguities(kit: Kit): Tampered[] {
  const { header, claims, now } = kit
  const json = JSON.stringify(claims)
  const head = JSON.stringify(header)
  const more = (members: string) => `${json.slice(0, -1)},${members}}`
  const before = (members: string) => `{${members},${json.slice(1)}`
  const lenient = 'jose reads JSON as JSON.parse does'
  const unbounded = 'jose does not ask for integers that are exact'
  const bodies: [what: string, body: string | Buffer, joseTakesIt?: string][] = [
    ['sub twice', before('"sub":"00000000-0000-4000-8000-000000000000"'), lenient],
    ['sub twice, once by an escape', before('"s\\u0075b":"00000000-0000-4000-8000-000000000000"'), lenient],
    ['exp twice', before(`"exp":${now - 3600}`), lenient],
    ['permissions twice', before('"permissions":["everything"]'), lenient],
    ['a member within a member twice', more('"act":{"sub":"a","sub":"b"}'), lenient],
    ['__proto__', more('"__proto__":{"admin":true}'), lenient],
    ['a lone surrogate in what nobody knows', more('"added_later":"\\ud800"'), lenient],
    ['a lone surrogate by an escape', json.replace(/"jti":"[^"]*"/, '"jti":"\\ud800"'), lenient],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from(more('"x":"')).subarray(0, -1), Buffer.from([0xff, 0x22, 0x7d])]),
    ],
    ['a byte order mark', `\ufeff${json}`, 'jose drops it'],
    ['exp beyond all integers', json.replace(/"exp":\d+/, '"exp":1e300'), unbounded],
    ['exp with a fraction', json.replace(/"exp":(\d+)/, '"exp":$1.5'), unbounded],
    ['iat with a fraction', json.replace(/"iat":(\d+)/, '"iat":$1.5'), unbounded],
  ]
  const profile = 'jose knows no profile: a caller that follows RFC 9068 holds it'
  const values: [what: string, claims: Claims, joseTakesIt?: string][] = [
    ['a life of ten years', { exp: now + 315_360_000 }, profile],
    ['a life of nothing', { exp: now, iat: now }, profile],
    ['a proof after it was minted', { auth_time: now + 3600 }, profile],
    ['a proof in 1970', { auth_time: 0 }, profile],
    ['an empty sub', { sub: '' }, profile],
    ['an auth_time that is text', { auth_time: String(now) }, profile],
    ['an amr of numbers', { amr: [1] }, profile],
    ['roles without a tenant', { tenant: undefined, roles: ['admin'], permissions: [] }, profile],
    ['a tenant without roles', { tenant: 'A'.repeat(36), roles: undefined, permissions: undefined }, profile],
    [
      'permissions within permissions',
      { tenant: 'A'.repeat(36), roles: [], permissions: [['admin']] },
      profile,
    ],
  ]
  const heads: [what: string, header: string | Claims, joseTakesIt?: string][] = [
    ['alg twice, the last one right', `{"alg":"none",${head.slice(1)}`, lenient],
    ['a member that nobody knows', { ...header, cty: 'JWT' }, 'jose passes over what it does not know'],
    ['a zip that is said', { ...header, zip: 'DEF' }, 'jose passes over what it does not know'],
    ['a kid with white space', { ...header, kid: `${header.kid} ` }],
    ['a kid cut by one', { ...header, kid: String(header.kid).slice(0, -1) }],
    ['a kid as a URL of itself', { ...header, kid: `#${header.kid}` }],
  ]
  const list = (why: string | undefined) => (why === undefined ? {} : { joseTakesIt: why })
  return [
    ...bodies.map(([what, body, why]) => ({
      attack: `signed by the issuer: ${what}`,
      token: signed(kit, header, body),
      ...list(why),
    })),
    ...values.map(([what, change, why]) => ({
      attack: `signed by the issuer: ${what}`,
      token: withClaims(kit, change),
      ...list(why),
    })),
    ...heads.map(([what, changed, why]) => ({
      attack: `signed by the issuer, its header with ${what}`,
      token: signed(kit, changed, claims),
      ...list(why),
    })),
  ]
}

/** JW-21: refused by their size, before anything of them is decoded. */
function oversize(kit: Kit): Tampered[] {
  const long = 'jose leaves the size to its caller'
  return [
    {
      attack: 'a header of 1 MB',
      token: signed(kit, { ...kit.header, x: 'A'.repeat(1_000_000) }, kit.claims),
      joseTakesIt: long,
    },
    {
      attack: 'a payload of 20 kB, really signed',
      token: withClaims(kit, { x: 'A'.repeat(20_000) }),
      joseTakesIt: long,
    },
    { attack: 'a signature of 10 MB', token: `${kit.parts[0]}.${kit.parts[1]}.${'A'.repeat(10_000_000)}` },
  ]
}
