/** What the hostile provider may say instead of the truth, at any of its endpoints. */
import { createServer } from 'node:http'
import type { JWK } from 'jose'
import type { Heard } from './hostile-wire.js'

/** How the bytes leave, where it is not at once. */
export type Pace =
  | 'hang' // never
  | 'reset' // RST instead of an answer
  | 'cut' // half of the body, then the end of the connection
  | 'drip' // the head at once, then a byte a second
  | { readonly lateMilliseconds: number }

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A text or a Buffer goes as it is, anything else as JSON. */
  readonly body: unknown
  readonly pace?: Pace
}
/** From the honest answer to the one that is sent. */
export type Lie = (honest: Answer, heard: Heard) => Answer | Promise<Answer>

const json = { 'content-type': 'application/json' }

/** Alters members of a JSON body; what becomes undefined is left out. */
export const members =
  (change: Record<string, unknown> | ((body: Record<string, unknown>) => unknown)): Lie =>
  answer => {
    const body = answer.body as Record<string, unknown>
    return { ...answer, body: typeof change === 'function' ? change(body) : { ...body, ...change } }
  }

export const body =
  (value: unknown, status = 200, headers: Record<string, string> = json): Lie =>
  () => ({ status, headers, body: value })

export const paced =
  (pace: Pace): Lie =>
  answer => ({ ...answer, pace })
export const hang = paced('hang')
export const reset = paced('reset')
export const cut = paced('cut')
export const drip = paced('drip')
export const late = (lateMilliseconds: number) => paced({ lateMilliseconds })

export const html = body('<!doctype html><title>Sign in</title><h1>It works</h1>', 200, {
  'content-type': 'text/html',
})
export const redirect = (location: string, status = 302) => body('', status, { location })
export const oauthError = (error: string, description?: string, status = 400) =>
  body({ error, ...(description !== undefined && { error_description: description }) }, status)

/** The honest members, and one that makes the body as long as this. */
export const padded =
  (bytes = 5 * 1024 * 1024): Lie =>
  answer => ({ ...answer, body: { ...(answer.body as object), padding: 'x'.repeat(bytes) } })

/** As text: JSON.stringify runs out of stack where JSON.parse does not. */
export function nestedText(depth = 10_000, inner = '1'): string {
  return `${'{"a":'.repeat(depth)}${inner}${'}'.repeat(depth)}`
}

/** Members as text, which a literal could not name: `__proto__` is a member here, not the prototype. */
export function withText(value: object, text: string): string {
  return `${JSON.stringify(value).slice(0, -1)},${text}}`
}
export const pollutingText =
  '"__proto__":{"admin":true,"email_verified":true},"constructor":{"prototype":{"admin":true}},"toString":1'

/** The honest members and these, as text. */
export const alsoText =
  (text: string): Lie =>
  answer => ({ ...answer, body: withText(answer.body as object, text) })

const changedKeys = (change: (keys: JWK[]) => unknown[]) =>
  members(({ keys }) => ({ keys: change(keys as JWK[]) }))

/** The honest ones come last, where a reader that stops early does not find them. */
export const manyKeys = (count = 10_000) =>
  changedKeys(keys => [
    ...Array.from({ length: count }, (_, index) => ({ ...keys[0], kid: `k${index}` })),
    ...keys,
  ])
export const symmetricKeys = (secret: string) =>
  changedKeys(keys =>
    keys.map(({ kid }) => ({
      kty: 'oct',
      kid,
      alg: 'HS256',
      use: 'sig',
      k: Buffer.from(secret).toString('base64url'),
    })),
  )
/** Two keys under the name of the first; the honest one is the second. */
export const duplicateKid = (other: JWK) =>
  changedKeys(([first, ...keys]) => [{ ...other, kid: first?.kid }, first, ...keys])
/** Several keys that can't be told apart, when the token has no kid either. */
export const keysWithoutKid = (...others: JWK[]) =>
  changedKeys(keys => [...others, ...keys].map(({ kid: _, ...key }) => key))

/** Counts who comes: where a provider sends the service to, and where it must never go. */
export async function innerServer(
  answer: unknown = {},
): Promise<{ url: string; hits: string[]; close(): Promise<void> }> {
  const hits: string[] = []
  const server = createServer((request, reply) => {
    hits.push(`${request.method} ${request.url}`)
    reply.writeHead(200, json).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    hits,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
