/** What a provider lies about at its endpoints and of addresses, as data, each with its attack: none of it signs in. */
import {
  alsoText,
  body,
  cut,
  html,
  type Lie,
  members,
  nestedText,
  oauthError,
  padded,
  redirect,
  reset,
} from '../support/hostile-lies.js'
import type { Lies } from '../support/hostile-provider.js'
import { type Attack, type Elsewhere, marker } from './federation.js'

const unavailable = { code: 'provider_unavailable' } as const
const token = (what: string, lie: Lie, more: Partial<Attack> = {}, id = 'FD-06'): Attack => ({
  id,
  what: `the token endpoint: ${what}`,
  lies: { token: lie },
  ...more,
})
const challenged = (status: number) =>
  body({ error: marker }, status, {
    'content-type': 'application/json',
    'www-authenticate': `Bearer error="${marker}", error_description="<b>${marker}"`,
  })

export const lyingTokenEndpoint = ({ url }: Elsewhere): readonly Attack[] => [
  token('no ID token', members({ id_token: undefined })),
  token('a number as ID token', members({ id_token: 7 })),
  token('an encrypted ID token', members({ id_token: 'e30.e30.e30.e30.e30' })),
  token('no access token', members({ access_token: undefined })),
  token('a number as access token', members({ access_token: 7 })),
  token('another kind of token', members({ token_type: 'mac' })),
  token('no kind of token', members({ token_type: undefined })),
  token('HTML', html),
  token('no JSON', body(`{"access_token":"${marker}`)),
  token('null', body('null')),
  token('a list', body([])),
  token('empty', body('')),
  token('204', body('', 204)),
  token('elsewhere', redirect(`${url}/token`, 307)),
  token('invalid_grant', oauthError('invalid_grant', `<b>${marker}`)),
  token('a challenge', challenged(401)),
  token('a challenge with 400', challenged(400)),
  token('an error with 200', body({ error: marker })),
  token('500', body({}, 500), unavailable),
  token('429', body({}, 429), unavailable),
  token('5 MB', padded(), unavailable, 'FD-23'),
  token('cut', cut, unavailable, 'FD-08'),
  token('a reset', reset, unavailable, 'FD-08'),
  {
    id: 'FD-23',
    what: 'claims of 1 MB',
    lies: { claims: h => ({ ...h, x: 'x'.repeat(1 << 20) }) },
    ...unavailable,
  },
]

/** The ID token does not say all, so the userinfo endpoint is asked. */
const userinfo = (what: string, lie: Lie, more: Partial<Attack> = {}, id = 'FD-21'): Attack => ({
  id,
  what: `userinfo: ${what}`,
  lies: { claims: ({ email: _, email_verified: __, name: ___, ...honest }) => honest, userinfo: lie },
  ...more,
})
export const lyingUserinfo = ({ url }: Elsewhere): readonly Attack[] => [
  userinfo('of another', members({ sub: 'victim' })),
  userinfo('of nobody', members({ sub: undefined })),
  userinfo('of a number', members({ sub: 7 })),
  userinfo(
    'of a list',
    members(({ sub, ...more }) => ({ ...more, sub: [sub] })),
  ),
  userinfo(
    'of another spelling',
    members(({ sub, ...more }) => ({ ...more, sub: ` ${sub}` })),
  ),
  userinfo('a list', body([])),
  userinfo('null', body('null')),
  userinfo('HTML', html),
  userinfo('no JSON', body('{')),
  userinfo('an unsigned JWT', body('e30.e30.', 200, { 'content-type': 'application/jwt' })),
  userinfo('elsewhere', redirect(`${url}/me`)),
  userinfo('403', body({}, 403)),
  userinfo('a challenge', challenged(401)),
  userinfo('500', body({}, 500), unavailable),
  userinfo('60 MB', padded(60 * 1024 * 1024), unavailable, 'FD-23'),
  userinfo(
    'nested a million deep',
    () => body(nestedText(1_000_000))({} as never, {} as never),
    unavailable,
    'FD-23',
  ),
  userinfo('the address is not said to be verified', members({ email_verified: undefined }), {
    code: 'address_unverified',
  }),
  userinfo(
    'verified by its prototype',
    alsoText('"__proto__":{"email_verified":true},"email_verified":false'),
    {
      code: 'address_unverified',
    },
    'FD-23',
  ),
]

const wanting = (lies: Lies): Lies => ({ claims: ({ name: _, ...honest }) => honest, ...lies })
const unverified = 'address_unverified'
/** An address is verified by the document that says it, and by no other. */
export const mixedAddresses: readonly Attack[] = [
  {
    id: 'FD-25',
    what: 'an address of the ID token, verified by userinfo for another',
    lies: {
      claims: ({ name: _, email_verified: __, ...honest }) => ({ ...honest, email: 'victim@example.com' }),
      userinfo: members({ email: 'own@example.com', email_verified: true }),
    },
    code: unverified,
  },
  {
    id: 'FD-25',
    what: 'an address of userinfo, verified by the ID token for none',
    lies: {
      claims: ({ name: _, email: __, ...honest }) => ({ ...honest, email_verified: true }),
      userinfo: members({ email: 'victim@example.com', email_verified: false }),
    },
    code: unverified,
  },
  {
    id: 'FD-25',
    what: 'an unverified address of the ID token, another verified one of userinfo',
    lies: wanting({
      claims: ({ name: _, ...honest }) => ({ ...honest, email: 'victim@example.com', email_verified: false }),
      userinfo: members({ email: 'victim@example.com', email_verified: true }),
    }),
    code: unverified,
  },
]

const address = (email: unknown): Attack => ({
  id: 'FD-25',
  what: `the address ${JSON.stringify(email)?.slice(0, 60)}`,
  lies: {},
  person: { email },
  code: unverified,
})
export const strangeAddresses: readonly Attack[] = [
  ...['new＠example.com', 'new@example.com,eve@evil.example', '"new"@example.com', 'nеw@example.com'],
  ...[
    'new@example.com\n',
    ' new@example.com',
    'new@example。com',
    'new@example.com\0',
    'new@',
    '@example.com',
  ],
  ...['new', 'n@e@example.com', 'new@[127.0.0.1]', `${'n'.repeat(400)}@example.com`, '\u202enew@example.com'],
  ...[null, 7, ['new@example.com'], { toString: 'new@example.com' }, undefined, ''],
].map(address)
