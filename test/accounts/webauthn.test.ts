/** The ceremonies of passkeys, against a software authenticator that lies in each field. PK of the attack list. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import * as simplewebauthn from '@simplewebauthn/server'
import { test } from 'tap'
import { keyMethod, presentedCredential, userHandleOf } from '../../src/accounts/passkey-credential.js'
import type { PasskeyRefusalReason } from '../../src/accounts/passkey-refusal.js'
import { type CeremonyPurpose, ceremonyTimeoutMs, createWebAuthn } from '../../src/accounts/webauthn.js'
import type { UserId } from '../../src/core/principal.js'
import { type Lies, softwareAuthenticator } from '../support/authenticator.js'
import { cbor } from '../support/cbor.js'
import type { Algorithm } from '../support/cose.js'

const origin = 'https://id.example.com'
const webauthn = createWebAuthn({ id: 'id.example.com', name: 'Example', origin })
const user = randomUUID() as UserId
const challenge = randomBytes(32)
const person = { user, name: 'ada@example.com', displayName: 'Ada', challenge, exclude: [] }
const algorithms: readonly Algorithm[] = [-7, -8, -257]

interface Ceremony {
  readonly algorithm?: Algorithm
  readonly purpose?: CeremonyPurpose
  readonly flags?: Lies['flags']
}

async function register(
  lies: Lies = {},
  { algorithm = -7, purpose = 'first-step', flags = {} }: Ceremony = {},
) {
  const authenticator = softwareAuthenticator({ origin, algorithm, flags })
  const options = await webauthn.registrationOptions({ ...person, purpose })
  const body = authenticator.create(options, lies)
  return { authenticator, body, answer: await webauthn.verifyRegistration(body, { challenge, purpose }) }
}

async function registered(ceremony: Ceremony = {}) {
  const { authenticator, answer } = await register({}, ceremony)
  if ('refused' in answer) throw new Error(`${answer.refused}: ${answer.detail}`)
  return { authenticator, credential: { ...answer.credential, owner: user } }
}
type Registered = Awaited<ReturnType<typeof registered>>

async function assert({ authenticator, credential }: Registered, lies: Lies = {}, purpose?: CeremonyPurpose) {
  const ceremony = { challenge, purpose: purpose ?? 'first-step' } as const
  const options = await webauthn.authenticationOptions(ceremony)
  return webauthn.verifyAssertion(authenticator.get(options, lies), { ...ceremony, credential })
}

const reasonOf = (answer: object) => ('refused' in answer ? answer.refused : answer)

test('a browser is asked for a discoverable, verified credential of an offered algorithm, without attestation', async t => {
  const own = { id: randomBytes(16), transports: ['usb'] }
  const options = await webauthn.registrationOptions({ ...person, purpose: 'first-step', exclude: [own] })
  t.match(options, {
    rp: { id: 'id.example.com', name: 'Example' },
    challenge: challenge.toString('base64url'),
    attestation: 'none',
    timeout: ceremonyTimeoutMs,
    authenticatorSelection: {
      residentKey: 'required',
      requireResidentKey: true,
      userVerification: 'required',
    },
    excludeCredentials: [{ id: own.id.toString('base64url'), type: 'public-key', transports: ['usb'] }],
  })
  t.same(
    options.pubKeyCredParams.map(({ alg }) => alg),
    algorithms,
  )
  const handle = Buffer.from(options.user.id, 'base64url')
  t.equal(handle.length, 16)
  t.equal(handle.toString('hex'), user.replaceAll('-', ''))
  const second = await webauthn.registrationOptions({ ...person, purpose: 'second-factor' })
  t.match(second.authenticatorSelection, { residentKey: 'discouraged', userVerification: 'discouraged' })
})

test('a sign-in by passkey asks the same whoever asks; a second factor names what is enrolled', async t => {
  const first = await webauthn.authenticationOptions({ challenge, purpose: 'first-step' })
  t.match(first, { rpId: 'id.example.com', userVerification: 'required', timeout: ceremonyTimeoutMs })
  t.equal(first.allowCredentials, undefined)
  const allow = [{ id: randomBytes(16), transports: ['nfc'] }]
  const second = await webauthn.authenticationOptions({ challenge, purpose: 'second-factor', allow })
  t.equal(second.userVerification, 'discouraged')
  t.match(second.allowCredentials, [{ id: allow[0]?.id.toString('base64url'), transports: ['nfc'] }])
})

for (const algorithm of algorithms) {
  test(`a credential of algorithm ${algorithm} is registered, and signs in`, async t => {
    const { authenticator, body, answer } = await register({}, { algorithm })
    t.match(answer, {
      userVerified: true,
      credential: {
        algorithm,
        counter: 0,
        transports: ['hybrid', 'internal'],
        backupEligible: false,
        backedUp: false,
        discoverable: true,
        aaguid: '00000000-0000-0000-0000-000000000000',
      },
    })
    if ('refused' in answer) return
    t.equal(answer.credential.id.toString('base64url'), body.id)
    const known = { authenticator, credential: { ...answer.credential, owner: user } }
    const used = { counter: 1, counterRegressed: false, backedUp: false, userVerified: true }
    t.same(await assert(known), used)
    t.same(await assert(known, { userHandle: null }, 'second-factor'), { ...used, counter: 2 })
  })

  test(`an attestation by the key itself is taken for algorithm ${algorithm}, if its signature holds`, async t => {
    const { answer } = await register({ attStmt: 'self' }, { algorithm })
    t.notOk('refused' in answer)
    const broken = await register({ attStmt: 'self', signature: () => Buffer.alloc(64, 1) }, { algorithm })
    t.equal(reasonOf(broken.answer), 'not-verified')
  })
}

test('what an answer names is known before anything is verified', async t => {
  const { authenticator, credential } = await registered()
  const options = await webauthn.authenticationOptions({ challenge, purpose: 'first-step' })
  const named = { id: credential.id, challenge }
  t.same(presentedCredential(authenticator.get(options)), { ...named, owner: user })
  t.same(presentedCredential(authenticator.get(options, { userHandle: null })), {
    ...named,
    owner: undefined,
  })
  t.equal(reasonOf(presentedCredential(authenticator.get(options, { userHandle: 'AAAA' }))), 'user-handle')
  t.equal(reasonOf(presentedCredential({})), 'malformed')
})

test('a credential that may be synced counts as swk, one of a single device as hwk', async t => {
  const one = await registered()
  const synced = await registered({ flags: { be: true, bs: true } })
  t.equal(keyMethod(one.credential), 'hwk')
  t.equal(keyMethod(synced.credential), 'swk')
  t.equal(synced.credential.backedUp, true)
  t.match(await assert(synced, { flags: { bs: false } }), { backedUp: false })
})

test('extensions that browsers ask for by themselves are no fault', async t => {
  const credProtect = cbor(new Map([['credProtect', 2]]))
  const { answer } = await register({ extensions: credProtect })
  t.notOk('refused' in answer)
  const hmac = cbor(new Map([['hmac-secret', randomBytes(32)]]))
  t.notOk('refused' in (await assert(await registered(), { extensions: hmac })))
})

test('a second factor may leave its user unverified, and says so; a first step may not', async t => {
  const unverified = { flags: { uv: false } }
  const second = await register(unverified, { purpose: 'second-factor' })
  t.match(second.answer, { userVerified: false })
  t.equal(reasonOf((await register(unverified)).answer), 'not-verified')
  const known = await registered()
  t.match(await assert(known, unverified, 'second-factor'), { userVerified: false })
  t.equal(reasonOf(await assert(known, unverified)), 'not-verified')
})

/** Refused in both ceremonies. */
const lies: readonly [attack: string, lies: Lies, reason: PasskeyRefusalReason][] = [
  ['PK-05: origin over http', { origin: 'http://id.example.com' }, 'not-verified'],
  ['PK-05: origin with another port', { origin: `${origin}:8443` }, 'not-verified'],
  ['PK-05: origin with the default port', { origin: `${origin}:443` }, 'not-verified'],
  ['PK-05: origin with a path', { origin: `${origin}/` }, 'not-verified'],
  ['PK-05: origin in upper case', { origin: 'https://ID.example.com' }, 'not-verified'],
  ['PK-05: origin of a subdomain', { origin: 'https://a.id.example.com' }, 'not-verified'],
  ['PK-05: origin of the parent', { origin: 'https://example.com' }, 'not-verified'],
  ['PK-05: suffix twin', { origin: 'https://evil-id.example.com' }, 'not-verified'],
  ['PK-05: prefix twin', { origin: `${origin}.evil.test` }, 'not-verified'],
  ['PK-05: no origin', { origin: '' }, 'not-verified'],
  ['PK-05: crossOrigin', { crossOrigin: true }, 'client-data'],
  ['PK-05: crossOrigin as a word', { crossOrigin: 'true' }, 'client-data'],
  ['PK-05: crossOrigin null', { crossOrigin: null }, 'client-data'],
  ['PK-05: topOrigin', { topOrigin: 'https://evil.test' }, 'client-data'],
  ['PK-05: topOrigin, though it is ours', { crossOrigin: false, topOrigin: origin }, 'client-data'],
  ['PK-06: hash of another RP ID', { rpId: 'evil.test' }, 'not-verified'],
  ['PK-06: hash of the parent domain', { rpId: 'example.com' }, 'not-verified'],
  ['PK-06: hash of zeros', { rpIdHash: Buffer.alloc(32) }, 'not-verified'],
  ['no type', { type: '' }, 'not-verified'],
  ['type of a payment', { type: 'payment.get' }, 'not-verified'],
  ['another challenge', { challenge: randomBytes(32).toString('base64url') }, 'not-verified'],
  ['no challenge', { challenge: '' }, 'client-data'],
  ['challenge with padding', { challenge: `${challenge.toString('base64url')}=` }, 'client-data'],
  ['challenge in base64', { challenge: challenge.toString('hex') }, 'not-verified'],
  ['nobody present', { flags: { up: false } }, 'not-verified'],
  ['nobody present, though verified', { flags: { up: false, uv: true } }, 'not-verified'],
  ['PK-12: backed up, but not eligible', { flags: { bs: true } }, 'flags'],
  ['client data no JSON', { clientData: 'x' }, 'client-data'],
  ['client data no object', { clientData: '[]' }, 'client-data'],
  ['client data null', { clientData: 'null' }, 'client-data'],
  ['client data empty', { clientData: '' }, 'malformed'],
  ['client data with a byte order mark', { clientData: '\uFEFF{}' }, 'client-data'],
  ['client data no UTF-8', { clientData: Buffer.from('{"a":"\xff"}', 'latin1') }, 'client-data'],
  ['client data too large', { clientData: JSON.stringify({ a: 'x'.repeat(5000) }) }, 'malformed'],
  ['client data of brackets', { clientData: '['.repeat(4096) }, 'client-data'],
  ['a huge id', { credentialId: randomBytes(1024) }, 'malformed'],
  ['a tiny id', { credentialId: randomBytes(15) }, 'malformed'],
  ['another rawId', { json: { rawId: 'AAAA' } }, 'malformed'],
  ['no id', { json: { id: undefined } }, 'malformed'],
  ['id of a number', { json: { id: 1, rawId: 1 } }, 'malformed'],
  [
    'id and rawId with padding',
    { json: { id: `${'A'.repeat(22)}==`, rawId: `${'A'.repeat(22)}==` } },
    'malformed',
  ],
  ['id with stray bits', { json: { id: `${'A'.repeat(21)}B`, rawId: `${'A'.repeat(21)}B` } }, 'malformed'],
  ['another type', { json: { type: 'password' } }, 'malformed'],
  ['no response', { json: { response: undefined } }, 'malformed'],
  ['response of an array', { json: { response: [] } }, 'malformed'],
  ['no client data', { response: { clientDataJSON: undefined } }, 'malformed'],
  ['client data an object', { response: { clientDataJSON: {} } }, 'malformed'],
  ['client data in base64', { response: { clientDataJSON: 'ey+/' } }, 'malformed'],
  ['bytes behind the authenticator data', { trailing: Buffer.alloc(1) }, 'encoding'],
  ['authenticator data cut short', { authData: honest => honest.subarray(0, 36) }, 'encoding'],
  ['extensions without their flag', { extensions: cbor(new Map()), flags: { ed: false } }, 'encoding'],
  ['the flag of extensions without them', { flags: { ed: true } }, 'encoding'],
]

for (const [attack, lie, reason] of lies)
  test(`${attack} is refused`, async t => {
    const { answer } = await register(lie)
    t.equal(reasonOf(answer), reason, 'at registration')
    t.equal(reasonOf(await assert(await registered(), lie)), reason, 'at sign-in')
  })

test('bodies that are no credential are refused', async t => {
  const known = await registered()
  for (const body of [undefined, null, 1, 'x', [], {}, { response: {} }, Object.create(null)]) {
    t.equal(
      reasonOf(await webauthn.verifyRegistration(body, { challenge, purpose: 'first-step' })),
      'malformed',
    )
    const given = { challenge, purpose: 'first-step', credential: known.credential } as const
    t.equal(reasonOf(await webauthn.verifyAssertion(body, given)), 'malformed')
  }
})

test('the answer to one ceremony is none to the other', async t => {
  t.equal(reasonOf((await register({ type: 'webauthn.get' })).answer), 'not-verified')
  const known = await registered()
  t.equal(reasonOf(await assert(known, { type: 'webauthn.create' })), 'not-verified')
  const { body } = await register()
  const given = { challenge, purpose: 'first-step', credential: known.credential } as const
  t.equal(reasonOf(await webauthn.verifyAssertion(body, given)), 'malformed')
})

const { privateKey: strange } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const flip = (honest: Buffer) =>
  Buffer.from(honest.map((byte, at) => (at === honest.length - 1 ? byte ^ 1 : byte)))
const assertionLies: readonly [attack: string, lies: Lies, reason: PasskeyRefusalReason][] = [
  ['PK-08: a signature by another key', { key: strange }, 'not-verified'],
  ['PK-08: a signature with a bit flipped', { signature: flip }, 'not-verified'],
  ['PK-08: a signature of zeros', { signature: () => Buffer.alloc(64) }, 'not-verified'],
  ['PK-08: r and s of zero', { signature: () => Buffer.from('3006020100020100', 'hex') }, 'not-verified'],
  ['PK-08: a signature of one byte', { signature: () => Buffer.alloc(1) }, 'not-verified'],
  ['PK-08: no signature', { response: { signature: undefined } }, 'malformed'],
  ['PK-08: an empty signature', { signature: () => Buffer.alloc(0) }, 'malformed'],
  ['PK-08: a signature too large', { signature: () => Buffer.alloc(513) }, 'malformed'],
  ['no authenticator data', { response: { authenticatorData: undefined } }, 'malformed'],
  ['authenticator data too large', { trailing: Buffer.alloc(1024) }, 'malformed'],
  ['an attested credential', { flags: { at: true }, trailing: attestedBytes() }, 'flags'],
  ['the id of another credential', { credentialId: randomBytes(32) }, 'credential-id'],
  ['the handle of another person', { userHandle: userHandleOf(randomUUID() as UserId) }, 'user-handle'],
  ['a long handle', { userHandle: Buffer.alloc(64) }, 'user-handle'],
  ['a handle that is too long', { userHandle: Buffer.alloc(65) }, 'malformed'],
  ['an empty handle', { userHandle: '' }, 'malformed'],
  ['the handle as a UUID', { userHandle: user }, 'user-handle'],
  ['no handle', { userHandle: null }, 'user-handle'],
  ['PK-12: eligible for backup all at once', { flags: { be: true } }, 'backup-eligibility'],
]

function attestedBytes(): Buffer {
  return Buffer.concat([Buffer.alloc(17), Buffer.from([16]), randomBytes(16), cbor(new Map([[1, 2]]))])
}

for (const [attack, lie, reason] of assertionLies)
  test(`${attack} is refused at sign-in`, async t => {
    t.equal(reasonOf(await assert(await registered(), lie)), reason)
  })

test('PK-08: what holds for one credential holds for no other of the same person', async t => {
  for (const algorithm of algorithms) {
    const [one, other] = [await registered({ algorithm }), await registered({ algorithm })]
    const options = await webauthn.authenticationOptions({ challenge, purpose: 'first-step' })
    const body = one.authenticator.get(options)
    const given = {
      challenge,
      purpose: 'first-step',
      credential: { ...other.credential, id: one.credential.id },
    }
    t.equal(reasonOf(await webauthn.verifyAssertion(body, given as never)), 'not-verified')
  }
})

test('a handle of another person is refused of a second factor, too', async t => {
  const lie = { userHandle: userHandleOf(randomUUID() as UserId) }
  t.equal(reasonOf(await assert(await registered(), lie, 'second-factor')), 'user-handle')
})

test('PK-12: eligibility for backup that is gone is refused', async t => {
  const synced = await registered({ flags: { be: true } })
  t.equal(reasonOf(await assert(synced, { flags: { be: false } })), 'backup-eligibility')
})

test('PK-12: a counter that does not rise is reported, and no refusal', async t => {
  const { authenticator, credential } = await registered()
  for (const [stored, sent, regressed] of [
    [0, 0, false],
    [0, 1, false],
    [5, 6, false],
    [5, 5, true],
    [5, 4, true],
    [5, 0, true],
    [0xffffffff, 0, true],
    [0, 0xffffffff, false],
  ] as const) {
    const known = { authenticator, credential: { ...credential, counter: stored } }
    t.match(
      await assert(known, { counter: sent }),
      { counter: sent, counterRegressed: regressed },
      `${stored} to ${sent}`,
    )
  }
})

test('PK-10: what the library answers is looked at', async t => {
  const { authenticator, credential } = await registered()
  const { body } = await register()
  const options = await webauthn.authenticationOptions({ challenge, purpose: 'first-step' })
  const assertion = authenticator.get(options)
  const given = { challenge, purpose: 'first-step', credential } as const
  const answers: readonly (() => unknown)[] = [
    () => ({ verified: false }),
    () => ({
      verified: false,
      registrationInfo: {},
      authenticationInfo: { newCounter: 1, userVerified: true },
    }),
    () => ({ verified: 'true', registrationInfo: {}, authenticationInfo: {} }),
    () => ({}),
    () => undefined,
    () => null,
    () => Promise.reject(new Error('no')),
    () => {
      throw new Error('no')
    },
    () => {
      throw undefined
    },
  ]
  for (const answer of answers) {
    const stub = {
      ...simplewebauthn,
      verifyRegistrationResponse: answer,
      verifyAuthenticationResponse: answer,
    } as never
    const mutant = createWebAuthn({ id: 'id.example.com', name: 'Example', origin }, stub)
    t.equal(reasonOf(await mutant.verifyRegistration(body, given)), 'not-verified')
    t.equal(reasonOf(await mutant.verifyAssertion(assertion, given)), 'not-verified')
  }
  t.notOk('refused' in (await webauthn.verifyAssertion(assertion, given)), 'it would hold otherwise')
})

test('words about transports are kept, and nothing else', async t => {
  const transports = ['usb', 'usb', 'smart-card', 1, 'Not a word', 'x'.repeat(21), 'new-word', null, 'nfc']
  const { answer } = await register({ response: { transports } })
  t.match(answer, { credential: { transports: ['usb', 'smart-card', 'new-word'] } })
  const none = await register({ response: { transports: 'usb' }, json: { clientExtensionResults: null } })
  t.match(none.answer, { credential: { transports: [] } })
  if (!('refused' in none.answer)) t.equal(none.answer.credential.discoverable, undefined)
})

test('what a refusal says for the log is bounded', async t => {
  const { answer } = await register({ origin: `https://${'x'.repeat(3000)}.test` })
  if (!('refused' in answer)) throw new Error('it was accepted')
  t.ok(answer.detail.length <= 200)
})
