/** A reader of the feed, in its own few lines: what it was sent, verified by jose. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import type { TestService } from './service.js'

export interface Message {
  readonly iss: string
  readonly aud: string
  readonly exp: number
  readonly gen: number
  readonly asof: number
  readonly from: string
  readonly to: string
  readonly dead: readonly string[]
  readonly more: boolean
  readonly jwks: string
}

export interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly headers: Headers
  readonly messages: readonly Message[]
  readonly lines: readonly string[]
}

export async function ask(service: TestService, query: string, key?: string): Promise<Answer> {
  const { main } = service.addresses
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const response = await fetch(`${main}/v1/feed${query}`, { headers })
  const text = await response.text()
  const { status } = response
  if (status !== 200)
    return { status, code: JSON.parse(text).code, headers: response.headers, messages: [], lines: [] }
  const keys = createLocalJWKSet(
    (await (await fetch(`${main}/.well-known/jwks.json`)).json()) as JSONWebKeySet,
  )
  const lines = text.trimEnd().split('\n')
  const messages = await Promise.all(lines.map(line => verified(line, keys, service.issuer)))
  return { status, code: undefined, headers: response.headers, messages, lines }
}

async function verified(
  line: string,
  keys: Parameters<typeof jwtVerify>[1],
  issuer: string,
): Promise<Message> {
  const how = { issuer, audience: `${issuer}/v1/feed`, typ: 'mintmark-feed+jwt', algorithms: ['ES256'] }
  const { payload } = await jwtVerify<Message>(line, keys as never, how)
  return payload as unknown as Message
}

/** A process that follows the feed, as `v`, from where it is now. */
export async function verifier(service: TestService, key: string, v: string, jwks?: string) {
  const more = `&v=${v}${jwks === undefined ? '' : `&jwks=${jwks}`}`
  let cursor = ''
  const next = async (wait = 0, at = service) => {
    const answer = await ask(at, `?after=${cursor}&wait=${wait}${more}`, key)
    cursor = answer.messages.at(-1)?.to ?? cursor
    return answer
  }
  await next()
  let following = true
  return {
    next,
    cursor: () => cursor,
    /** Until it is stopped: as a verifier does. */
    async follow(at = service) {
      while (following) await next(1, at).catch(() => undefined)
    },
    stop: () => {
      following = false
    },
  }
}

/** Follows the feed from where it is now. */
export async function follower(service: TestService, key: string) {
  let cursor = (await ask(service, '', key)).messages.at(-1)?.to ?? ''
  const next = async (wait = 3) => {
    const answer = await ask(service, `?after=${cursor}&wait=${wait}`, key)
    cursor = answer.messages.at(-1)?.to ?? cursor
    return answer
  }
  return { next, cursor: () => cursor }
}
