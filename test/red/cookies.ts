/** Cookie headers that open nothing, made from one that does. */
import { createHash } from 'node:crypto'

const sha256 = (secret: string) => createHash('sha256').update(Buffer.from(secret, 'base64url')).digest()
const flip = (text: string) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)

export interface Tampered {
  readonly what: string
  /** The whole Cookie header. */
  readonly header: string
}

/** Of a live `<id>.<secret>` and another live one. */
export function tampered(cookie: string, other: string): Tampered[] {
  const [id = '', secret = ''] = cookie.split('.')
  const [otherId = '', otherSecret = ''] = other.split('.')
  const hash = sha256(secret)
  const one = (what: string, value: string) => ({ what, header: `__Host-session=${value}` })
  return [
    one('SS-06: the stored hash in base64url as the secret', `${id}.${hash.toString('base64url')}`),
    one('SS-06: the stored hash in hex as the secret', `${id}.${hash.toString('hex')}`),
    one(
      'SS-06: the stored hash raw as the secret',
      `${id}.${hash.toString('latin1').replace(/[;\s\0]/g, '')}`,
    ),
    one('SS-06: the stored hash alone', hash.toString('base64url')),
    one('a secret with its first character changed', `${id}.${flip(secret)}`),
    one('a secret cut by one', `${id}.${secret.slice(0, -1)}`),
    one('a secret made longer', `${id}.${secret}A`),
    one('a secret with padding', `${id}.${secret}=`),
    one('a secret in capitals', `${id}.${secret.toUpperCase()}`),
    one('an empty secret', `${id}.`),
    one('no secret', id),
    one('no id', `.${secret}`),
    one('the secret alone', secret),
    one('the secret of another session', `${id}.${otherSecret}`),
    one('the id of another session', `${otherId}.${secret}`),
    one('the halves swapped', `${secret}.${id}`),
    one('a third part', `${cookie}.x`),
    one('quoted', `"${cookie}"`),
    one('percent-encoded', encodeURIComponent(cookie).replace('.', '%2e')),
    one('SQL in the id', `' or 1=1 --.${secret}`),
    one('SQL in the secret', `${id}.' or 1=1 --`),
    one('nothing', ''),
    one('[object Object]', '[object Object]'),
    one('50 kB of dots', '.'.repeat(12_000)),
    {
      what: 'two session cookies, the live one first',
      header: `__Host-session=${cookie}; __Host-session=${other}`,
    },
    { what: 'the same live cookie twice', header: `__Host-session=${cookie}; __Host-session=${cookie}` },
    { what: 'another name: no prefix', header: `session=${cookie}` },
    { what: 'another name: lower case', header: `__host-session=${cookie}` },
    { what: 'another name: the Secure prefix', header: `__Secure-session=${cookie}` },
    { what: 'another name: a longer one', header: `__Host-session2=${cookie}` },
    { what: 'a blank before the equals sign', header: `__Host-session =${cookie}` },
    { what: 'no name, the pair as its value', header: `=__Host-session=${cookie}` },
    { what: 'inside the value of another cookie', header: `a="__Host-session=${cookie}"` },
    // A browser takes the prefix rules as not met only for names that begin with the prefix; a sibling subdomain can set
    // a cookie whose name begins with a blank of Unicode, and whoever trims it away believes it carries the prefix.
    {
      what: 'SS-01: a no-break space before the name, as a sibling may set',
      header: `\u00a0__Host-session=${cookie}`,
    },
    { what: 'SS-01: the same behind another cookie', header: `a=b; \u00a0__Host-session=${cookie}` },
  ]
}
