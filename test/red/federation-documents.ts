/** What a provider lies about in its documents and at its endpoints, as data, each with its attack: none of it signs in. */
import type { JWK } from 'jose'
import {
  alsoText,
  body,
  cut,
  duplicateKid,
  html,
  keysWithoutKid,
  type Lie,
  manyKeys,
  members,
  nestedText,
  padded,
  redirect,
  reset,
  symmetricKeys,
} from '../support/hostile-lies.js'
import { type Attack, type Elsewhere, marker } from './federation.js'

const document = (what: string, lie: Lie, id = 'FD-07'): Attack => ({
  id,
  what: `the document: ${what}`,
  lies: { discovery: lie },
  code: 'provider_unavailable',
  at: 'begin',
})
const says = (what: string, change: Parameters<typeof members>[0]) => document(what, members(change))

export const lyingDocuments = ({ url }: Elsewhere): readonly Attack[] => [
  says('another issuer', { issuer: 'https://accounts.example.com' }),
  says('the issuer with a slash', ({ issuer, ...more }) => ({ ...more, issuer: `${issuer}/` })),
  says('the issuer in upper case', ({ issuer, ...more }) => ({ ...more, issuer: `${issuer}`.toUpperCase() })),
  says('an issuer that turns what follows', { issuer: `\u202e\u009b2J\u2028${marker}` }),
  says('no issuer', { issuer: undefined }),
  says('a list as the issuer', ({ issuer, ...more }) => ({ ...more, issuer: [issuer] })),
  ...['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint'].flatMap(name => [
    says(`${name} at another port`, { [name]: `${url}/x` }),
    says(`${name} at a name of the same machine`, more => ({
      ...more,
      [name]: String(more[name]).replace('127.0.0.1', 'localhost'),
    })),
    says(`${name} by plain http elsewhere`, { [name]: 'http://login.example.com/x' }),
    says(`${name} in the cloud's metadata`, { [name]: 'http://169.254.169.254/latest' }),
    says(`${name} with a name and a password`, more => ({
      ...more,
      [name]: String(more[name]).replace('//', '//a:b@'),
    })),
    says(`${name} is a list`, more => ({ ...more, [name]: [more[name]] })),
    says(`${name} is a script`, { [name]: `javascript:alert('${marker}')` }),
    says(`${name} is a file`, { [name]: 'file:///etc/passwd' }),
    says(`${name} is empty`, { [name]: '' }),
  ]),
  ...['authorization_endpoint', 'token_endpoint', 'jwks_uri'].map(name =>
    says(`no ${name}`, { [name]: undefined }),
  ),
  ...[
    'response_type=token',
    'client_id=evil',
    'redirect_uri=https://evil.example',
    'state=0',
    'request_uri=x',
  ].map(query =>
    says(`authorization_endpoint with ${query}`, more => ({
      ...more,
      authorization_endpoint: `${more.authorization_endpoint}?${query}`,
    })),
  ),
  says('no way to prove ourselves', { token_endpoint_auth_methods_supported: ['private_key_jwt'] }),
  says('a number of ways to prove ourselves', { token_endpoint_auth_methods_supported: 7 }),
  says('a number of algorithms', { id_token_signing_alg_values_supported: 7 }),
  says('null for the algorithms', { id_token_signing_alg_values_supported: null }),
  document('nested 10 000 deep', alsoText(`"deep":${nestedText()}`), 'FD-23'),
  document('HTML', html),
  document('a list', body([])),
  document('null', body('null')),
  document('a text', body(`"${marker}"`)),
  document('no JSON', body('{')),
  document('empty', body('')),
  document('404', body({}, 404)),
  document('500', body({}, 500)),
  document('429', body({}, 429)),
  document('elsewhere', redirect(`${url}/x`)),
  document('5 MB', padded(), 'FD-08'),
  document('cut', cut, 'FD-08'),
  document('a reset', reset, 'FD-08'),
]

const keys = (what: string, jwks: Lie, more: Partial<Attack> = {}): Attack => ({
  id: 'FD-08',
  what: `the key set: ${what}`,
  lies: { jwks },
  ...more,
})
const unavailable = { code: 'provider_unavailable' } as const
const oneKey = (change: (key: JWK) => unknown) =>
  members(({ keys }) => ({ keys: (keys as JWK[]).map(change) }))

export const lyingKeySets = ({ url }: Elsewhere): readonly Attack[] => [
  keys('5 MB', padded(), unavailable),
  keys('10 000 keys', manyKeys(), unavailable),
  keys('101 keys', manyKeys(100), unavailable),
  keys('cut', cut, unavailable),
  keys('a reset', reset, unavailable),
  keys('500', body({}, 500), unavailable),
  keys('404', body({}, 404), unavailable),
  keys('HTML', html, unavailable),
  keys('elsewhere', redirect(`${url}/jwks`), unavailable),
  keys('no JSON', body('{'), unavailable),
  keys('null', body('null'), unavailable),
  keys('a text for keys', body({ keys: marker }), unavailable),
  keys('no key', body({ keys: [] })),
  keys('null for a key', body({ keys: [null] }), unavailable),
  keys('symmetric', symmetricKeys('a secret that only the two of them know')),
  keys(
    'for encryption',
    oneKey(key => ({ ...key, use: 'enc' })),
  ),
  keys(
    'for RS512',
    oneKey(key => ({ ...key, alg: 'RS512' })),
  ),
  keys(
    'of no curve',
    oneKey(key => ({ ...key, crv: 'P-999' })),
  ),
  keys(
    'without a point',
    oneKey(({ x: _, ...key }) => key),
    unavailable,
  ),
  keys(
    'a point that is on no curve',
    oneKey(key => ({ ...key, x: key.y, y: key.x })),
    unavailable,
  ),
  keys(
    'a point that is no base64url',
    oneKey(key => ({ ...key, x: '!!', y: '**' })),
    unavailable,
  ),
  keys(
    'numbers as the point',
    oneKey(key => ({ ...key, x: 1, y: 2 })),
    unavailable,
  ),
  {
    id: 'FD-08',
    what: 'the key set: two under one name',
    lies: provider => ({ jwks: duplicateKid({ ...(provider.keys[0]?.jwk as JWK) }) }),
  },
  {
    id: 'FD-06',
    what: 'no kid, and several keys',
    lies: provider => ({
      jwks: keysWithoutKid({ ...(provider.keys[0]?.jwk as JWK) }),
      header: ({ kid: _, ...honest }) => honest,
    }),
  },
]
