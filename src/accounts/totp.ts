/** Authenticator apps (RFC 6238): secrets, their addresses for a QR code, and which step a code is of. */
import { randomUUID } from 'node:crypto'
import { generateSecret, generateURI, verifySync } from 'otplib'
import { Outage } from '../core/errors.js'
import type { FactorId, UserId } from '../core/principal.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { SealedTotp } from './factors.js'

/** Seconds of a step, and how much of a clock's error is taken either way. What apps really read is SHA-1 and 6 digits. */
const stepSeconds = 30

/** Six ASCII digits and nothing else. */
const form = /^[0-9]{6}$/

export interface NewTotp {
  readonly id: FactorId
  /** 160 bits in base32. It is shown once. */
  readonly secret: string
}

export function newTotp(): NewTotp {
  return { id: randomUUID() as FactorId, secret: generateSecret({ length: 20 }) }
}

/** `otpauth://totp/<service>:<account>?secret=…`, what an app reads from a QR code. */
export function totpAddress(secret: string, service: string, account: string): string {
  return generateURI({ issuer: service, label: account, secret })
}

/** A secret opens for its own user and factor alone. */
export const totpSealedAs = (issuer: string, user: UserId, id: FactorId) =>
  `mintmark second factor ${issuer} ${user} ${id}`

export function openTotp(
  keks: KeyEncryptionKeys,
  issuer: string,
  user: UserId,
  { id, sealed, kekId }: Omit<SealedTotp, 'now'>,
): string {
  return keks.open(kekId, sealed, totpSealedAs(issuer, user, id)).toString()
}

/** No code of it can be judged here. Recovery codes can: they are not sealed. */
export class FactorKeyMissing extends Outage {
  constructor(kekId: string) {
    super('nothing', `put ${kekId}.kek back into MINTMARK_KEYS_FOLDER`)
  }
}

/** The step that this is the code of, one step either way from `now` (seconds). Undefined: of none. */
export function stepOf(secret: string, code: string, now: number): number | undefined {
  if (!form.test(code)) return undefined
  const epoch = Math.floor(now)
  const result = verifySync({ secret, token: code, epoch, period: stepSeconds, epochTolerance: stepSeconds })
  return result.valid === true && 'timeStep' in result ? result.timeStep : undefined
}
