/** Logout tokens that end nothing, as data, each with what is wrong: OpenID Connect Back-Channel Logout 1.0, section 2.6. */
import {
  type Sign,
  unsigned,
  withAnotherKey,
  withBrokenSignature,
  withPublicKey,
  withSecret,
} from '../support/hostile-keys.js'
import { nestedText } from '../support/hostile-lies.js'
import type { HostileProvider } from '../support/hostile-provider.js'

type Claims = Record<string, unknown>

export interface LogoutLie {
  readonly what: string
  readonly token: (provider: HostileProvider) => Promise<string> | string
}

const event = 'http://schemas.openid.net/event/backchannel-logout'
const now = () => Math.floor(Date.now() / 1000)
const claims = (what: string, change: Claims | (() => Claims)): LogoutLie => ({
  what,
  token: provider => provider.logoutToken(typeof change === 'function' ? change() : change),
})
const header = (what: string, more: Claims): LogoutLie => ({
  what: `the header says ${what}`,
  token: provider => provider.logoutToken({}, more),
})
const signed = (what: string, sign: Sign): LogoutLie => ({
  what,
  token: provider => provider.logoutToken({}, {}, sign),
})

export const logoutLies: readonly LogoutLie[] = [
  ...['none', 'None', ''].map(alg => signed(`alg ${JSON.stringify(alg)}`, unsigned(alg))),
  signed('HS256 with the client secret', withSecret),
  signed('HS256 with the public key', withPublicKey),
  signed('the key of nobody', withAnotherKey),
  signed('a bit of the signature', withBrokenSignature),
  ...['at+jwt', 'secevent+jwt', 'application/at+jwt', 7, null].map(typ => header(`typ ${typ}`, { typ })),
  header('a key of nobody', { kid: 'of nobody' }),
  ...['iss', 'aud', 'iat', 'exp', 'jti', 'events'].map(name => claims(`no ${name}`, { [name]: undefined })),
  claims('neither sub nor sid', { sub: undefined, sid: undefined }),
  ...[7, '', null, ['583231'], {}, 'a\0b', 's'.repeat(300), 'é'].map(sub =>
    claims(`sub is ${JSON.stringify(sub).slice(0, 12)}`, { sub }),
  ),
  ...[7, '', null, ['x'], {}, 'a\0b', 's'.repeat(300), '\u202ex'].map(sid =>
    claims(`sid is ${JSON.stringify(sid).slice(0, 12)}`, { sid }),
  ),
  ...[7, '', null, ['x'], {}, 'a\0b', 's'.repeat(300)].map(jti =>
    claims(`jti is ${JSON.stringify(jti).slice(0, 12)}`, { jti }),
  ),
  ...['another', 7, [], ['another'], null].map(aud => claims(`aud is ${JSON.stringify(aud)}`, { aud })),
  ...['https://accounts.example.com', 7, null, []].map(iss =>
    claims(`iss is ${JSON.stringify(iss)}`, { iss }),
  ),
  { what: 'iss has a slash', token: provider => provider.logoutToken({ iss: `${provider.issuer}/` }) },
  claims('iat is eleven minutes old', () => ({ iat: now() - 660 })),
  claims('iat is in a minute', () => ({ iat: now() + 60 })),
  claims('iat is a text', () => ({ iat: `${now()}` })),
  claims('iat is negative', { iat: -1 }),
  claims('exp is in the past', () => ({ exp: now() - 60 })),
  claims('exp is a text', () => ({ exp: `${now() + 60}` })),
  claims('nbf is ahead', () => ({ nbf: now() + 300 })),
  ...['x', '', null, 7].map(nonce => claims(`a nonce: ${JSON.stringify(nonce)}`, { nonce })),
  ...[
    null,
    'x',
    event,
    [event],
    {},
    { [event]: null },
    { [event]: true },
    { [event]: [] },
    { [event]: 'x' },
    { [`${event}/`]: {} },
    { 'http://schemas.openid.net/event/backchannel': {} },
  ].map(events => claims(`events is ${JSON.stringify(events)}`, { events })),
  {
    what: 'events has it from its prototype',
    token: provider => provider.logoutToken({ events: JSON.parse(`{"__proto__":{"${event}":{}}}`) }),
  },
  ...[
    '',
    '.',
    '..',
    '...',
    'x',
    'e30.e30.',
    'e30.e30.e30',
    '{}',
    '\0',
    'é.é.é',
    ' ',
    'null',
    `${'a'.repeat(16_000)}.e30.e30`,
    'a'.repeat(16_385),
    'a.b.c.d.e',
  ].map(token => ({
    what: `${JSON.stringify(token.slice(0, 12))}, ${token.length} long`,
    token: () => token,
  })),
  {
    what: 'nested 3000 deep',
    token: provider => provider.logoutToken({ events: JSON.parse(nestedText(700)) }),
  },
]
