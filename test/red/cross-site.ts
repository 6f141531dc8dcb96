/** Requests that a page of someone else can make a browser send with the victim's cookie, and those that only look right. */
import { issuer } from '../support/service.js'

export interface Forgery {
  readonly id: string
  readonly what: string
  readonly headers: Readonly<Record<string, string>>
}

/** Each is sent with a live session cookie to every state-changing route: 403, and nothing has changed. */
export const forgeries: readonly Forgery[] = [
  {
    id: 'CK-06',
    what: 'a cross-site request with every header a browser adds',
    headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'x-mintmark': '1' },
  },
  {
    id: 'CK-06',
    what: 'a cross-site form post',
    headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  },
  {
    id: 'CK-06',
    what: 'a sandboxed frame, whose origin is null',
    headers: { origin: 'null', 'sec-fetch-site': 'cross-site', 'x-mintmark': '1' },
  },
  { id: 'CK-06', what: 'an origin null and nothing else', headers: { origin: 'null', 'x-mintmark': '1' } },
  {
    id: 'CK-06',
    what: 'Sec-Fetch-Site that disagrees with the own origin',
    headers: { origin: issuer, 'sec-fetch-site': 'cross-site', 'x-mintmark': '1' },
  },
  {
    id: 'CK-06',
    what: 'Sec-Fetch-Site: none, as for a typed address',
    headers: { origin: issuer, 'sec-fetch-site': 'none', 'x-mintmark': '1' },
  },
  {
    id: 'CK-06',
    what: 'Sec-Fetch-Site without an Origin',
    headers: { 'sec-fetch-site': 'same-origin', 'x-mintmark': '1' },
  },
  {
    id: 'CK-06',
    what: 'two origins in one header',
    headers: { origin: `${issuer}, https://evil.example`, 'x-mintmark': '1' },
  },
  { id: 'CK-06', what: 'an empty Origin', headers: { origin: '', 'x-mintmark': '1' } },
  { id: 'CK-06', what: 'the own origin with a slash', headers: { origin: `${issuer}/`, 'x-mintmark': '1' } },
  {
    id: 'CK-06',
    what: 'the own origin over another scheme',
    headers: { origin: issuer.replace('http:', 'https:'), 'x-mintmark': '1' },
  },
  {
    id: 'CK-06',
    what: 'a suffix twin of the own origin',
    headers: { origin: `${issuer}.evil.example`, 'x-mintmark': '1' },
  },
  {
    id: 'CK-06',
    what: 'the own origin in capitals',
    headers: { origin: issuer.toUpperCase(), 'x-mintmark': '1' },
  },
  { id: 'CK-08', what: 'no Origin, no Sec-Fetch-Site, no custom header', headers: {} },
  { id: 'CK-08', what: 'the own origin without the custom header', headers: { origin: issuer } },
  {
    id: 'CK-08',
    what: 'the custom header with another value',
    headers: { origin: issuer, 'x-mintmark': 'true' },
  },
  {
    id: 'CK-10',
    what: 'a sibling on another port with every header a page can set',
    headers: { origin: 'http://localhost:6666', 'sec-fetch-site': 'same-site', 'x-mintmark': '1' },
  },
  {
    id: 'CK-10',
    what: 'a sibling subdomain that claims to be same-origin',
    headers: { origin: 'http://evil.localhost:4000', 'sec-fetch-site': 'same-origin', 'x-mintmark': '1' },
  },
  {
    id: 'CK-10',
    what: 'a sibling that forges the forwarding headers',
    headers: {
      origin: 'http://localhost:6666',
      'sec-fetch-site': 'same-site',
      'x-mintmark': '1',
      'x-forwarded-host': 'localhost:6666',
      forwarded: 'host=localhost:6666',
      referer: `${issuer}/`,
    },
  },
]

/** CK-07: JSON in a type that needs no preflight. */
export const simpleTypes: readonly (string | undefined)[] = [
  'text/plain',
  'text/plain; charset=utf-8',
  'text/plain; application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json; charset=latin1',
  'application/json; charset=utf-8; x=y',
  'application/json, text/plain',
  'application/json5',
  'application/problem+json',
  'application/jsonp',
  'application/xml',
  'application',
  '*/*',
  undefined,
]
