/** What an honest authorization server checks and answers, without regard to who asks: the part that lies start from. */
import { createHash } from 'node:crypto'
import type { Answer } from './hostile-lies.js'
import type { Kind, Person } from './hostile-shapes.js'
import type { Heard } from './hostile-wire.js'

export type Parameters = Record<string, string | undefined>

/** What a code stands for, and then an access token. */
export interface Grant {
  readonly asked: Readonly<Record<string, string>>
  readonly person: Person
  readonly sid: string
  readonly authTime: number
}

export const json = (body: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body,
})
export const seconds = () => Math.floor(Date.now() / 1000)
export const defined = (members: object) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

const escaped = (text: string) => text.replace(/[&"<>]/g, sign => `&#${sign.charCodeAt(0)};`)
const hidden = ([name, value]: [string, string]) =>
  `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`

/** Back to the client: by a redirect, or by a page whose form posts itself. */
export function back(to: string, parameters: Parameters, formPost = false): Answer {
  const entries = Object.entries(defined(parameters)) as [string, string][]
  if (formPost) {
    const form = `<form method="post" action="${escaped(to)}">${entries.map(hidden).join('')}</form>`
    const page = `<!doctype html><title>Back</title>${form}<script>document.forms[0].submit()</script>`
    return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: page }
  }
  const url = new URL(to)
  for (const [name, value] of entries) url.searchParams.set(name, value)
  return { status: 302, headers: { location: url.href }, body: '' }
}

/** GitHub refuses with 200, and has words of its own. */
export function refused(kind: Kind, error: Refusal): Answer {
  const github = kind === 'github'
  const word = github ? githubWords[error] : error
  const status = error === 'invalid_client' ? 401 : 400
  return json({ error: word, error_description: `refused: ${word}` }, github ? 200 : status)
}

type Refusal = 'invalid_client' | 'unsupported_grant_type' | 'invalid_grant' | 'redirect_uri_mismatch'
const githubWords: Record<Refusal, string> = {
  invalid_client: 'incorrect_client_credentials',
  unsupported_grant_type: 'unsupported_grant_type',
  invalid_grant: 'bad_verification_code',
  redirect_uri_mismatch: 'redirect_uri_mismatch',
}

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
  readonly kind: Kind
}

/** Why this request for a token gets none: RFC 6749, section 4.1.3, and RFC 7636. */
export function refusal(client: Client, { parameters, headers }: Heard, grant?: Grant): Refusal | undefined {
  const github = client.kind === 'github'
  const [id, secret] = credentials(headers.authorization) ?? [parameters.client_id, parameters.client_secret]
  if (id !== client.clientId || secret !== client.clientSecret) return 'invalid_client'
  if (!github && parameters.grant_type !== 'authorization_code') return 'unsupported_grant_type'
  if (!grant) return 'invalid_grant'
  const { redirect_uri, code_challenge, code_challenge_method } = grant.asked
  if (redirect_uri !== parameters.redirect_uri) return github ? 'redirect_uri_mismatch' : 'invalid_grant'
  const verifier = parameters.code_verifier
  if (code_challenge === undefined && verifier === undefined) return undefined
  const hash = createHash('sha256')
    .update(verifier ?? '')
    .digest('base64url')
  return code_challenge_method === 'S256' && code_challenge === hash ? undefined : 'invalid_grant'
}

/** RFC 6749, section 2.3.1: both are form-encoded before base64. */
function credentials(authorization: string | undefined): [string, string] | undefined {
  const encoded = /^Basic (\S+)$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const [id = '', secret = ''] = Buffer.from(encoded, 'base64').toString().split(':')
  const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))
  return [decode(id), decode(secret)]
}
