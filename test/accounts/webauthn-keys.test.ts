/** Keys and CBOR that an authenticator may send at registration: what is well-formed, and what is refused in bounded work. */
import { createPublicKey, generateKeyPairSync, randomBytes, randomUUID, verify } from 'node:crypto'
import { test } from 'tap'
import type { PasskeyRefusalReason } from '../../src/accounts/passkey-refusal.js'
import { createWebAuthn } from '../../src/accounts/webauthn.js'
import type { UserId } from '../../src/core/principal.js'
import { type Lies, softwareAuthenticator } from '../support/authenticator.js'
import { type Cbor, cbor, cborMap, Raw } from '../support/cbor.js'
import { type Algorithm, ec2, newKey, rsa } from '../support/cose.js'

const origin = 'https://id.example.com'
const webauthn = createWebAuthn({ id: 'id.example.com', name: 'Example', origin })
const challenge = randomBytes(32)

async function register(lies: Lies, algorithm: Algorithm = -7) {
  const authenticator = softwareAuthenticator({ origin, algorithm })
  const given = { challenge, purpose: 'first-step' } as const
  const person = { user: randomUUID() as UserId, name: 'ada', displayName: 'Ada', exclude: [] }
  const body = authenticator.create(await webauthn.registrationOptions({ ...given, ...person }), lies)
  return webauthn.verifyRegistration(body, given)
}

const reasonOf = (answer: object) => ('refused' in answer ? answer.refused : answer)

const ec = (namedCurve: string) =>
  generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' })
const rsaOf = (modulusLength: number, publicExponent = 65537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' })
const map = (...entries: [number, Cbor][]) => cbor(new Map<number, Cbor>(entries))
const small = (hex: string) => Buffer.from(hex.padEnd(64, '0'), 'hex')

/** The honest key of an algorithm with one parameter changed. */
const keys: readonly [attack: string, algorithm: Algorithm, key: Lies['coseKey']][] = [
  ['ES384, which was not offered', -7, cbor(ec2(ec('P-384'), -35, 2))],
  ['PS256, which was not offered', -257, key => key.set(3, -37)],
  ['RS1, which was not offered', -257, key => key.set(3, -65535)],
  ['ML-DSA-44, which was not offered', -7, map([1, 7], [3, -48], [-1, randomBytes(1312)])],
  ['an algorithm that nobody knows', -7, key => key.set(3, -9999)],
  ['an algorithm by its name', -7, key => key.set(3, 'ES256')],
  ['no algorithm', -7, key => key.delete(3)],
  ['no key type', -7, key => key.delete(1)],
  ['a key type by its name', -7, key => key.set(1, 'EC2')],
  ['a symmetric key', -7, map([1, 4], [3, -7], [-1, randomBytes(32)])],
  ['an unknown key type', -7, key => key.set(1, 99)],
  ['an RSA key for ES256', -257, key => key.set(3, -7)],
  ['an RSA key for EdDSA', -257, key => key.set(3, -8)],
  ['a P-256 key for RS256', -7, key => key.set(3, -257)],
  ['a P-256 key for EdDSA', -7, key => key.set(3, -8)],
  ['an Ed25519 key for ES256', -8, key => key.set(3, -7)],
  ['OKP for ES256', -7, key => key.set(1, 1)],
  ['P-384 for ES256', -7, cbor(ec2(ec('P-384'), -7, 2))],
  ['a point of P-256 said to be of P-384', -7, key => key.set(-1, 2)],
  ['EC2 for EdDSA', -8, key => key.set(1, 2)],
  ['EC2 for RS256', -257, key => key.set(1, 2)],
  ['P-521 for ES256', -7, cbor(ec2(ec('P-521'), -7, 3))],
  ['secp256k1 for ES256', -7, cbor(ec2(ec('secp256k1'), -7, 8))],
  ['a point of secp256k1 said to be of P-256', -7, cbor(ec2(ec('secp256k1'), -7, 1))],
  ['a point of P-384 said to be of P-256', -7, cbor(ec2(ec('P-384'), -7, 1))],
  ['a point that is not on the curve', -7, key => key.set(-3, randomBytes(32))],
  ['the point of zeros', -7, key => key.set(-2, Buffer.alloc(32)).set(-3, Buffer.alloc(32))],
  ['coordinates not below the prime', -7, key => key.set(-2, Buffer.alloc(32, 0xff))],
  ['a compressed point', -7, key => key.set(-3, true)],
  ['no y', -7, key => key.delete(-3)],
  ['a long x', -7, key => key.set(-2, randomBytes(33))],
  ['a short x', -7, key => key.set(-2, randomBytes(31))],
  ['a further parameter', -7, key => key.set(2, randomBytes(4))],
  ['a private key', -7, key => key.set(-4, randomBytes(32))],
  ['Ed448 for EdDSA', -8, map([1, 1], [3, -8], [-1, 7], [-2, randomBytes(57)])],
  ['X25519 for EdDSA', -8, key => key.set(-1, 4)],
  ['names in place of numbers', -8, map([1, 'OKP'], [3, -8], [-1, 'Ed25519'], [-2, randomBytes(32)])],
  ['a short Ed25519 key', -8, key => key.set(-2, randomBytes(31))],
  ['the neutral point of Ed25519', -8, key => key.set(-2, small('01'))],
  ['a point of order 4', -8, key => key.set(-2, small(''))],
  ['a point of order 4 with its sign', -8, key => key.set(-2, Buffer.from(`${'00'.repeat(31)}80`, 'hex'))],
  ['a modulus of 1024 bits', -257, cbor(rsa(rsaOf(1024)))],
  [
    'a modulus of 2047 bits',
    -257,
    key => key.set(-1, Buffer.concat([Buffer.from([0x7f]), randomBytes(255)])),
  ],
  ['a modulus of 8192 bits', -257, key => key.set(-1, randomBytes(1024))],
  ['a modulus of 15 000 bytes', -257, key => key.set(-1, Buffer.alloc(15_000, 0xff))],
  ['an empty modulus', -257, key => key.set(-1, Buffer.alloc(0))],
  ['an exponent of 3', -257, cbor(rsa(rsaOf(2048, 3)))],
  ['an exponent of 1', -257, key => key.set(-2, Buffer.from([1]))],
  ['an exponent of 2048 bits', -257, key => key.set(-2, randomBytes(256))],
  ['an exponent with a leading zero', -257, key => key.set(-2, Buffer.from([0, 1, 0, 1]))],
  ['no map', -7, cbor([1, 2, 3])],
  ['an empty map', -7, cbor(new Map())],
]

for (const [attack, algorithm, coseKey] of keys)
  test(`PK-08: ${attack} is refused`, async t => {
    const lie = coseKey ? { coseKey } : {}
    t.equal(reasonOf(await register(lie, algorithm)), 'key')
    t.equal(reasonOf(await register({ ...lie, attStmt: 'self' }, algorithm)), 'key', 'before its signature')
  })

test('PK-08: under a key of small order a signature holds that nobody made, so that it must be refused', async t => {
  const neutral = small('01')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: neutral.toString('base64url') }
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  t.ok(verify(null, randomBytes(20), key, Buffer.concat([neutral, Buffer.alloc(32)])))
  for (const other of [
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    `ec${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(31)}`,
  ])
    t.equal(reasonOf(await register({ coseKey: key => key.set(-2, small(other)) }, -8)), 'key', other)
})

test('RSA keys of 3072 and 4096 bits are taken', async t => {
  for (const size of [3072, 4096])
    t.notOk('refused' in (await register({ coseKey: cbor(rsa(rsaOf(size))) }, -257)), `${size}`)
})

const indefinite = (hex: string) => new Raw(hex)
const point = [...newKey(-7).coseKey] as [number, Cbor][]
const honestEntries = (authData: Cbor): [string, Cbor][] => [
  ['fmt', 'none'],
  ['attStmt', new Map()],
  ['authData', authData],
]
/** The authenticator data stands last in the honest object, behind its name and two bytes of length, or three. */
const authDataOf = (object: Buffer) => object.subarray(object.indexOf('authData') + 10)

const encodings: readonly [attack: string, lies: Lies, reason: PasskeyRefusalReason][] = [
  ['a bomb of arrays', { attestationObject: () => Buffer.alloc(16_000, 0x81) }, 'encoding'],
  ['a bomb of maps', { attestationObject: () => Buffer.from('a100'.repeat(8000), 'hex') }, 'encoding'],
  ['a bomb of tags', { attestationObject: () => Buffer.alloc(16_000, 0xc1) }, 'encoding'],
  ['a bomb of arrays in the key', { coseKey: Buffer.alloc(15_000, 0x81) }, 'encoding'],
  ['a bomb of arrays in the extensions', { extensions: Buffer.alloc(15_000, 0x81) }, 'encoding'],
  ['a bomb that ends', { extensions: Buffer.from(`a10${'0'}${'81'.repeat(5000)}00`, 'hex') }, 'encoding'],
  ['an array of four milliards', { attestationObject: () => Buffer.from('9affffffff', 'hex') }, 'encoding'],
  ['a map of four milliards', { attestationObject: () => Buffer.from('baffffffff', 'hex') }, 'encoding'],
  ['bytes of four milliards', { attestationObject: () => Buffer.from('5affffffff', 'hex') }, 'encoding'],
  ['bytes of 2^53', { attestationObject: () => Buffer.from('5b001fffffffffffff', 'hex') }, 'encoding'],
  ['nothing at all', { attestationObject: () => Buffer.alloc(0) }, 'malformed'],
  ['1 MB', { attestationObject: () => Buffer.alloc(1_000_000) }, 'malformed'],
  ['one byte too many', { attestationObject: () => Buffer.alloc(16_385) }, 'malformed'],
  ['a number', { attestationObject: () => cbor(1) }, 'encoding'],
  ['a byte behind it', { attestationObject: object => Buffer.concat([object, Buffer.alloc(1)]) }, 'encoding'],
  ['another object behind it', { attestationObject: object => Buffer.concat([object, object]) }, 'encoding'],
  ['an object cut short', { attestationObject: object => object.subarray(0, -1) }, 'encoding'],
  [
    'a format twice',
    { attestationObject: object => cborMap([['fmt', 'none'], ...honestEntries(authDataOf(object))]) },
    'encoding',
  ],
  [
    'authenticator data twice',
    { attestationObject: object => cborMap([...honestEntries(authDataOf(object)), ['authData', 'x']]) },
    'encoding',
  ],
  [
    'a further member',
    { attestationObject: object => cborMap([...honestEntries(authDataOf(object)), ['x', 1]]) },
    'encoding',
  ],
  ['authenticator data of text', { attestationObject: () => cborMap(honestEntries('x')) }, 'encoding'],
  [
    'a map of indefinite length',
    {
      attestationObject: object =>
        Buffer.concat([Buffer.from('bf', 'hex'), object.subarray(1), Buffer.from('ff', 'hex')]),
    },
    'encoding',
  ],
  ['a statement of indefinite length', { attStmt: indefinite('bfff') }, 'encoding'],
  ['a statement of chunks', { attStmt: indefinite('a1637369675f4100ff') }, 'encoding'],
  ['a long spelling of a length', { attStmt: indefinite('b800') }, 'encoding'],
  ['a key with a parameter twice', { coseKey: cborMap([...point, [3, -7]]) }, 'encoding'],
  [
    'a key of indefinite length',
    {
      coseKey: Buffer.concat([
        Buffer.from('bf', 'hex'),
        cborMap(point).subarray(1),
        Buffer.from('ff', 'hex'),
      ]),
    },
    'encoding',
  ],
  ['a key cut short', { coseKey: cborMap(point).subarray(0, -1) }, 'encoding'],
  ['a second key behind the first', { coseKey: Buffer.concat([cborMap(point), cborMap(point)]) }, 'encoding'],
  ['extensions cut short', { extensions: Buffer.from('a161614301', 'hex') }, 'encoding'],
  ['extensions that are no map', { extensions: cbor(1) }, 'encoding'],
  ['text that is no UTF-8', { extensions: Buffer.from('a161ff01', 'hex') }, 'encoding'],
  [
    'the id longer than what follows',
    {
      authData(honest) {
        const bytes = Buffer.from(honest)
        bytes.writeUInt16BE(0xffff, 53)
        return bytes
      },
    },
    'encoding',
  ],
  ['no attested credential, for all its flag', { authData: honest => honest.subarray(0, 37) }, 'encoding'],
  ['no attested credential', { flags: { at: false }, authData: honest => honest.subarray(0, 37) }, 'flags'],
  ['a credential without its flag', { flags: { at: false } }, 'encoding'],
  [
    'another id than that of the credential',
    { json: { id: 'A'.repeat(43), rawId: 'A'.repeat(43) } },
    'credential-id',
  ],
  ['no attestation object', { response: { attestationObject: undefined } }, 'malformed'],
  ['a statement without a format', { attStmt: new Map([['sig', randomBytes(64)]]) }, 'attestation'],
  ['a statement that is no map', { attStmt: [] }, 'attestation'],
  ['a format that nobody knows', { fmt: 'x' }, 'attestation'],
  ['an attestation with certificates', { fmt: 'packed', attStmt: certified() }, 'attestation'],
  ['an attestation by certificates alone', { fmt: 'fido-u2f', attStmt: certified() }, 'attestation'],
  ['an attestation of a TPM', { fmt: 'tpm', attStmt: certified() }, 'attestation'],
  ['an attestation of Android', { fmt: 'android-key', attStmt: certified() }, 'attestation'],
  [
    'an attestation by another algorithm than the key has',
    {
      fmt: 'packed',
      attStmt: new Map<string, Cbor>([
        ['alg', -65535],
        ['sig', randomBytes(64)],
      ]),
    },
    'attestation',
  ],
]

function certified(): Cbor {
  return new Map<string, Cbor>([
    ['alg', -7],
    ['sig', randomBytes(64)],
    ['x5c', [randomBytes(300)]],
  ])
}

for (const [attack, lie, reason] of encodings)
  test(`PK-13: ${attack} is refused`, async t => {
    t.equal(reasonOf(await register(lie)), reason)
  })

test('an object written by hand as an authenticator would is taken', async t => {
  const attestationObject = (object: Buffer) => cborMap(honestEntries(Buffer.from(authDataOf(object))))
  t.notOk('refused' in (await register({ attestationObject })))
})
