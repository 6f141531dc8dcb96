/** Passkeys in the harnesses: put into the database, with challenges of whoever calls, and answered. */
import { createHash, randomBytes } from 'node:crypto'
import type postgres from 'postgres'
import { type ChallengePurpose, newChallenge } from '../../src/accounts/passkeys.js'
import { createWebAuthn } from '../../src/accounts/webauthn.js'
import type { UserId } from '../../src/core/principal.js'
import { newSecret } from '../../src/core/secret.js'
import { device } from '../support/passkeys.js'
import { issuer } from '../support/service.js'

const rpId = new URL(issuer).hostname
const webAuthn = createWebAuthn({ id: rpId, name: 'Mintmark', origin: issuer })

interface Caller {
  readonly id: string
  readonly session: string
}

/** A passkey of this user that signs in by itself. */
export async function passkeyOf(sql: postgres.Sql, user: string) {
  const own = device()
  const { challenge } = newChallenge()
  const purpose = 'first-step'
  const given = {
    user: user as UserId,
    name: 'x',
    displayName: 'x',
    challenge,
    purpose,
    exclude: [],
  } as const
  const made = await webAuthn.verifyRegistration(own.create(await webAuthn.registrationOptions(given)), given)
  if ('refused' in made) throw new Error(made.detail)
  const { id, publicKey, algorithm } = made.credential
  await sql`
    insert into passkeys (user_id, credential_id, public_key, algorithm, backup_eligible, backed_up, transports,
      name, first_step)
    values (${user}, ${id}, ${publicKey}, ${algorithm}, false, false, '{}', 'Phone', true)`
  return own
}

async function challengeFor(
  sql: postgres.Sql,
  purpose: ChallengePurpose,
  of: Partial<Caller>,
  holder?: Buffer,
) {
  const { challenge, challengeHash } = newChallenge()
  await sql`
    insert into passkey_challenges (challenge_hash, purpose, user_id, session_id, holder_hash, expires_at)
    values (${challengeHash}, ${purpose}, ${of.id ?? null}, ${of.session ?? null}, ${holder ?? null},
      now() + interval '5 minutes')`
  return challenge
}

/** What steps this session up. */
export async function stepUpAnswer(sql: postgres.Sql, me: Caller) {
  const own = await passkeyOf(sql, me.id)
  const challenge = await challengeFor(sql, 'step-up', { id: me.id, session: me.session })
  return own.get({ challenge: challenge.toString('base64url'), rpId })
}

/** What registers a passkey in this session. */
export async function registrationAnswer(sql: postgres.Sql, me: Caller) {
  const challenge = await challengeFor(sql, 'register', { id: me.id, session: me.session })
  const given = { user: me.id as UserId, name: 'x', displayName: 'x', challenge, exclude: [] }
  return device().create(await webAuthn.registrationOptions({ ...given, purpose: 'second-factor' }))
}

/** What signs this user in, and the cookie of the browser that must send it. */
export async function signInAnswer(sql: postgres.Sql, user: string) {
  const own = await passkeyOf(sql, user)
  const holder = newSecret()
  const challenge = await challengeFor(sql, 'sign-in', {}, holder.hash())
  const asked = challenge.toString('base64url')
  return { cookie: holder.reveal(), challenge: asked, response: own.get({ challenge: asked, rpId }) }
}

/** What completes this pending sign-in. */
export async function secondStepAnswer(sql: postgres.Sql, user: string, pending: string) {
  const own = await passkeyOf(sql, user)
  const holder = createHash('sha256').update(Buffer.from(pending, 'base64url')).digest()
  const challenge = await challengeFor(sql, 'second-factor', { id: user }, holder)
  return own.get({ challenge: challenge.toString('base64url'), rpId })
}

/** An answer by a passkey of this user to what may or may not be a challenge. */
export async function answerTo(sql: postgres.Sql, user: string, challenge: string) {
  return (await passkeyOf(sql, user)).get({ challenge, rpId })
}

/** The same of a new passkey. */
export async function creationFor(user: string, challenge: string) {
  const given = {
    user: user as UserId,
    name: 'x',
    displayName: 'x',
    challenge: Buffer.alloc(32),
    exclude: [],
  }
  const options = await webAuthn.registrationOptions({ ...given, purpose: 'second-factor' })
  return device().create({ ...options, challenge })
}

/** Of the form of an answer, to a challenge that nobody has made. */
export function madeUpAnswer() {
  const id = randomBytes(32).toString('base64url')
  const clientData = { type: 'webauthn.get', challenge: id, origin: issuer, crossOrigin: false }
  const clientDataJSON = Buffer.from(JSON.stringify(clientData)).toString('base64url')
  return {
    id,
    rawId: id,
    type: 'public-key',
    response: { clientDataJSON, authenticatorData: 'AAAA', signature: 'AAAA' },
  }
}
