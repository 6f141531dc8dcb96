/** The session cookie `__Host-session=<id>.<secret>`: read strictly, written with one set of attributes, cleared by sign-out. */
import type {} from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { linkHash, linkMinutes } from '../../accounts/links.js'
import { challengeMinutes } from '../../accounts/passkeys.js'
import { pendingMinutes } from '../../accounts/pending-sign-ins.js'
import { parseSecret, type Secret } from '../../core/secret.js'
import { BrowserSecret, flowSeconds } from '../../federation/flow.js'
import { type Credential, parseCredential } from '../../sessions/credential.js'

const name = '__Host-session'
/** The prefix demands Secure, Path=/ and no Domain (RFC 6265bis, section 4.1.3.2). */
const attributes = { path: '/', secure: true, httpOnly: true, sameSite: 'lax' } as const

/** What a browser proves itself with when it comes back from a provider. */
const flowName = '__Host-federation'

/** What a browser is given by a reset: it opens nothing, but lets its user try, whatever others have guessed. */
const resetName = '__Host-reset'

/** What a browser proves a pending sign-in with: it opens nothing else. */
const pendingName = '__Host-pending'

/** What a browser proves itself with that was asked for a passkey: it opens nothing. */
const passkeyName = '__Host-passkey'

/** A request with two session cookies has none: a browser never sends that, and nobody says which is meant. */
export function readSessionCookie(request: FastifyRequest): Credential | undefined {
  const value = onlyValue(request, name)
  return value === undefined ? undefined : parseCredential(value)
}

export function readFlowCookie(request: FastifyRequest): BrowserSecret | undefined {
  return BrowserSecret.parse(onlyValue(request, flowName))
}

export function readPendingCookie(request: FastifyRequest): Secret | undefined {
  return parseSecret(onlyValue(request, pendingName) ?? '')
}

/** For the second step, which follows soon or not at all. */
export function setPendingCookie(reply: FastifyReply, secret: Secret): void {
  reply.setCookie(pendingName, secret.reveal(), { ...attributes, maxAge: pendingMinutes * 60 })
}

export function clearPendingCookie(reply: FastifyReply): void {
  reply.setCookie(pendingName, '', { ...attributes, maxAge: 0 })
}

export function readPasskeyCookie(request: FastifyRequest): Secret | undefined {
  return parseSecret(onlyValue(request, passkeyName) ?? '')
}

/** It lives as long as a challenge; each new one of the browser renews it. One serves several tabs. */
export function setPasskeyCookie(reply: FastifyReply, secret: Secret): void {
  reply.setCookie(passkeyName, secret.reveal(), { ...attributes, maxAge: challengeMinutes * 60 })
}

/** The hash of the pass. */
export function readResetCookie(request: FastifyRequest): Buffer | undefined {
  return linkHash(onlyValue(request, resetName) ?? '')
}

/** It is for one sign-in, which follows at once or not at all. */
export function setResetCookie(reply: FastifyReply, pass: Secret): void {
  reply.setCookie(resetName, pass.reveal(), { ...attributes, maxAge: linkMinutes * 60 })
}

function onlyValue({ headers }: FastifyRequest, called: string): string | undefined {
  const values = (headers.cookie ?? '')
    .split(';')
    .map(pair => pair.replace(/^[ \t]+/, ''))
    .filter(pair => pair.startsWith(`${called}=`))
  const [only] = values
  return values.length === 1 ? only?.slice(called.length + 1).replace(/[ \t]+$/, '') : undefined
}

/** Whether there is one, of whatever form. */
export function carriesSessionCookie({ headers }: FastifyRequest): boolean {
  return (headers.cookie ?? '').split(';').some(pair => pair.trimStart().startsWith(`${name}=`))
}

/** `now` and `endsAt` in seconds: the cookie lives to the session's absolute end. */
export function setSessionCookie(
  reply: FastifyReply,
  { id, secret }: Credential,
  now: number,
  endsAt: number,
): void {
  reply.setCookie(name, `${id}.${secret.reveal()}`, {
    ...attributes,
    maxAge: Math.max(0, Math.floor(endsAt - now)),
  })
}

/** It outlives the flow that it was made for by nothing; each new flow of the browser renews it. */
export function setFlowCookie(reply: FastifyReply, secret: BrowserSecret): void {
  reply.setCookie(flowName, secret.reveal(), { ...attributes, maxAge: flowSeconds })
}

/** Only sign-out clears the cookie. The storage directive reaches this origin's own storage, never other cookies. */
export function clearSessionCookie(reply: FastifyReply): void {
  reply.setCookie(name, '', { ...attributes, maxAge: 0 }).header('clear-site-data', '"storage"')
}
