/** What a provider lies about in its tokens and at the callback, as data, each with its attack: none of it signs in. */
import type { ErrorCode } from '../../src/http/middleware/problem.js'
import {
  type ProviderAlg,
  type Sign,
  unsigned,
  withAlteredPayload,
  withAnotherKey,
  withBrokenSignature,
  withPublicKey,
  withRs512,
  withSecret,
} from '../support/hostile-keys.js'
import { symmetricKeys, withText } from '../support/hostile-lies.js'
import type { HostileProvider, Lies } from '../support/hostile-provider.js'

export interface Attack {
  readonly id: string
  readonly what: string
  readonly lies: Lies | ((provider: HostileProvider) => Lies)
  /** `federation_failed` where none is said. */
  readonly code?: ErrorCode
  /** Where it ends; at the callback where none is said. */
  readonly at?: 'begin'
  readonly alg?: ProviderAlg
  /** Members of the person beside the honest ones. */
  readonly person?: Record<string, unknown>
}

/** Where nobody must ever come asking. */
export interface Elsewhere {
  readonly url: string
}

/** In whatever text a provider may say: no page shows it. */
export const marker = 'zqxmarker'
type Claims = Record<string, unknown>
const now = () => Math.floor(Date.now() / 1000)
const week = 7 * 86_400

/** A function answers the member from the honest claims, anything else is the member. */
const claims = (id: string, what: string, change: (honest: Claims) => Claims | string): Attack => ({
  id,
  what,
  lies: { claims: change },
})
const without = (name: string) => claims('FD-06', `${name} is missing`, ({ [name]: _, ...others }) => others)
const claim = (id: string, what: string, more: () => Claims) =>
  claims(id, what, honest => ({ ...honest, ...more() }))
const signed = (what: string, sign: Sign, more: Partial<Attack> = {}): Attack => ({
  id: 'FD-06',
  what,
  lies: { sign },
  ...more,
})
const header = (what: string, more: Claims): Attack => ({
  id: 'FD-06',
  what: `the header says ${what}`,
  lies: { header: honest => ({ ...honest, ...more }) },
})

/** What a library that signs would not write. */
const withHeader =
  (more: Claims): Sign =>
  async ({ header, payload, key }) => {
    const parts = [JSON.stringify({ ...header, ...more }), payload]
    const input = parts.map(part => Buffer.from(part).toString('base64url')).join('.')
    const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }
    const signature = await globalThis.crypto.subtle.sign(ecdsa, key.private, Buffer.from(input))
    return `${input}.${Buffer.from(signature).toString('base64url')}`
  }

const signatures: readonly Attack[] = [
  ...['none', 'None', 'NONE', ''].map(alg => signed(`alg ${JSON.stringify(alg)}`, unsigned(alg))),
  signed('HS256 with the client secret', withSecret),
  {
    id: 'FD-06',
    what: 'HS256 with the client secret, agreed on in the document and in the key set',
    lies: ({ clientSecret }) => ({
      sign: withSecret,
      jwks: symmetricKeys(clientSecret),
      discovery: answer => ({
        ...answer,
        body: {
          ...(answer.body as object),
          id_token_signing_alg_values_supported: ['HS256', 'ES256', 'none'],
        },
      }),
    }),
  },
  signed('HS256 with the public key', withPublicKey),
  signed('RS512 that nobody agreed on', withRs512, { alg: 'RS256' }),
  signed('the key of nobody under the name of one', withAnotherKey),
  signed('a bit of the signature', withBrokenSignature),
  signed(
    'the signature of other claims',
    withAlteredPayload(honest => ({ ...honest, sub: 'victim' })),
  ),
  signed(
    'no signature',
    async token => `${(await withBrokenSignature(token)).split('.').slice(0, 2).join('.')}.`,
  ),
  signed('two parts', async token => (await withBrokenSignature(token)).split('.').slice(0, 2).join('.')),
  signed('five parts', async token => `${await withBrokenSignature(token)}.e30.e30`),
  signed('a critical extension', withHeader({ crit: ['exp'], exp: 1 })),
  signed('b64: false, critically', withHeader({ crit: ['b64'], b64: false })),
  signed('an extension that is not there, critically', withHeader({ crit: ['urn:example'] })),
  header('another key', { kid: 'of nobody' }),
  header('a number as kid', { kid: 7 }),
  ...['at+jwt', 'logout+jwt', 'secevent+jwt', 7, null].map(typ => header(`typ ${typ}`, { typ })),
]

const statements: readonly Attack[] = [
  ...['sub', 'iat', 'exp', 'iss', 'aud', 'nonce'].map(without),
  claim('FD-06', 'aud is another client', () => ({ aud: 'another' })),
  claim('FD-06', 'aud is nobody', () => ({ aud: [] })),
  claim('FD-06', 'aud is a number', () => ({ aud: 7 })),
  claim('FD-06', 'aud is an object', () => ({ aud: { mintmark: true } })),
  claim('FD-06', 'aud has another client, and no azp', () => ({ aud: ['mintmark', 'another'] })),
  claim('FD-06', 'aud has the client twice, and no azp', () => ({ aud: ['mintmark', 'mintmark'] })),
  claim('FD-06', 'azp is another client, with several', () => ({ aud: ['mintmark', 'other'], azp: 'other' })),
  claim('FD-06', 'azp is another client', () => ({ azp: 'another' })),
  claim('FD-06', 'azp is another client, aud a list of one', () => ({ aud: ['mintmark'], azp: 'another' })),
  claim('FD-06', 'azp is a list', () => ({ azp: ['mintmark'] })),
  claim('FD-06', 'azp is null', () => ({ azp: null })),
  claim('FD-06', 'iss is another', () => ({ iss: 'https://accounts.example.com' })),
  claims('FD-06', 'iss has a slash', honest => ({ ...honest, iss: `${honest.iss}/` })),
  claims('FD-06', 'iss is a list', honest => ({ ...honest, iss: [honest.iss] })),
  claims('FD-06', 'iss is in upper case', honest => ({ ...honest, iss: String(honest.iss).toUpperCase() })),
  claim('FD-06', 'exp is in the past', () => ({ exp: now() - 60 })),
  claim('FD-06', 'exp is a text', () => ({ exp: String(now() + 300) })),
  claim('FD-06', 'iat is a week old', () => ({ iat: now() - week })),
  claim('FD-06', 'iat is eleven minutes old', () => ({ iat: now() - 660 })),
  claim('FD-06', 'iat is in a minute', () => ({ iat: now() + 60 })),
  claim('FD-06', 'iat is in a week', () => ({ iat: now() + week, exp: now() + 2 * week })),
  claim('FD-06', 'iat is negative', () => ({ iat: -1 })),
  claim('FD-06', 'iat is a text', () => ({ iat: String(now()) })),
  claim('FD-06', 'nbf is ahead', () => ({ nbf: now() + 300 })),
  claim('FD-06', 'nonce is another', () => ({ nonce: 'A'.repeat(43) })),
  claims('FD-06', 'nonce is a list', honest => ({ ...honest, nonce: [honest.nonce] })),
  claim('FD-06', 'nonce is empty', () => ({ nonce: '' })),
  claim('FD-06', 'auth_time is in an hour', () => ({ auth_time: now() + 3600 })),
  claim('FD-06', 'auth_time is a text', () => ({ auth_time: `${now()}` })),
  ...[7, '', ' '.repeat(256), 's'.repeat(300), 'a\0b', 'a\nb', 'é', '\u202eabc', null, ['583231'], {}].map(
    sub => claim('FD-06', `sub is ${JSON.stringify(sub)?.slice(0, 12)}`, () => ({ sub })),
  ),
  claims('FD-06', 'the claims are a list', honest => JSON.stringify([honest])),
  claims('FD-06', 'the claims are null', () => 'null'),
  claims('FD-06', 'the claims are no JSON', honest => `${JSON.stringify(honest).slice(0, -1)},${marker}`),
  claims('FD-06', 'the claims are empty', () => ''),
  claims('FD-06', 'iss stands there twice, the wrong one last', honest =>
    withText(honest, '"iss":"https://accounts.example.com"'),
  ),
  claim('FD-22', 'at_hash does not match the access token', () => ({ at_hash: 'A'.repeat(22) })),
  claim('FD-22', 'at_hash is a number', () => ({ at_hash: 7 })),
  claim('FD-22', 'at_hash is null', () => ({ at_hash: null })),
  claim('FD-22', 'at_hash is empty', () => ({ at_hash: '' })),
  claims('FD-22', 'at_hash is cut', honest => ({ ...honest, at_hash: String(honest.at_hash).slice(0, 10) })),
]

const callback = (id: string, what: string, redirect: NonNullable<Lies['redirect']>): Attack => ({
  id,
  what,
  lies: { redirect },
})
const said = {
  script: `<script>alert("${marker}")</script>`,
  lines: `access_denied\r\nset-cookie: ${marker}=1\r\n\r\n<b>`,
  rtl: `\u202e${marker}\u2066\u2028`,
  ansi: `\u001b[2J${marker}"}\n{"level":60,"msg":"forged"}`,
}
const callbacks: readonly Attack[] = [
  callback('FD-01', 'state absent', ({ state: _, ...honest }) => honest),
  callback('FD-01', 'state empty', honest => ({ ...honest, state: '' })),
  callback('FD-01', 'state of nobody', honest => ({ ...honest, state: 'A'.repeat(43) })),
  callback('FD-01', 'state cut', honest => ({ ...honest, state: honest.state?.slice(0, 42) })),
  callback('FD-01', 'state longer', honest => ({ ...honest, state: `${honest.state}A` })),
  callback('FD-01', 'state 10 kB', honest => ({ ...honest, state: 'A'.repeat(10_000) })),
  callback('FD-01', 'state with NUL', honest => ({ ...honest, state: `${honest.state}\0` })),
  callback('FD-03', 'iss of another', honest => ({ ...honest, iss: 'https://accounts.example.com' })),
  callback('FD-03', 'iss removed, though announced', ({ iss: _, ...honest }) => honest),
  callback('FD-03', 'iss empty', honest => ({ ...honest, iss: '' })),
  callback('FD-03', 'iss with a slash', honest => ({ ...honest, iss: `${honest.iss}/` })),
  callback('FD-03', 'iss of another, beside an error', ({ state }) => ({
    state,
    error: 'access_denied',
    iss: 'x',
  })),
  callback('FD-03', 'code of nobody', honest => ({ ...honest, code: 'of nobody' })),
  callback('FD-03', 'code absent', ({ code: _, ...honest }) => honest),
  callback('FD-03', 'code empty', honest => ({ ...honest, code: '' })),
  callback('FD-03', 'an error beside the code', honest => ({ ...honest, error: 'access_denied' })),
  callback('FD-03', 'JARM', ({ state }) => ({ state, response: 'e30.e30.' })),
  callback('FD-03', 'an ID token beside the code', honest => ({ ...honest, id_token: 'e30.e30.' })),
  ...Object.entries(said).flatMap(([what, text]) => [
    callback('FD-19', `${what} as the error`, ({ code: _, ...honest }) => ({ ...honest, error: text })),
    callback('FD-19', `${what} as its description`, ({ code: _, ...honest }) => ({
      ...honest,
      error: 'access_denied',
      error_description: text,
      error_uri: `https://evil.example/${marker}`,
    })),
    {
      id: 'FD-19',
      what: `${what} as the error of the token endpoint`,
      lies: {
        token: () => ({
          status: 400,
          headers: { 'content-type': 'application/json' },
          body: { error: text, error_description: text, error_uri: text },
        }),
      },
    } satisfies Attack,
  ]),
]

export const lyingTokens: readonly Attack[] = [...signatures, ...statements]
export const lyingCallbacks: readonly Attack[] = callbacks
