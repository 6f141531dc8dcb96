/** Recovery codes: ten at a time, each of 120 random bits, shown once and stored as hashes. */
import { hash, randomBytes } from 'node:crypto'

export const recoveryCodeCount = 10
/** So few are left that their user should make new ones. */
export const fewRecoveryCodes = 3

/** Crockford's base32: no letter in it is mistaken for a digit. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const characters = 24

export interface RecoveryCodes {
  /** As they are shown: six groups of four. */
  readonly shown: readonly string[]
  /** As they are stored, in the same order. */
  readonly hashes: readonly Buffer[]
}

export function newRecoveryCodes(): RecoveryCodes {
  const codes = Array.from({ length: recoveryCodeCount }, () =>
    [...randomBytes(characters)].map(byte => alphabet[byte & 31]).join(''),
  )
  return { shown: codes.map(code => code.match(/.{4}/g)?.join('-') ?? code), hashes: codes.map(hashOf) }
}

/** The hash of what somebody has typed: without spaces and hyphens, in either case, O for 0, I and L for 1. Undefined: no such code. */
export function recoveryCodeHash(typed: string): Buffer | undefined {
  const code = typed.replace(/[\s-]/g, '').toUpperCase().replace(/O/g, '0').replace(/[IL]/g, '1')
  const isOne = code.length === characters && [...code].every(character => alphabet.includes(character))
  return isOne ? hashOf(code) : undefined
}

const hashOf = (code: string) => hash('sha256', code, 'buffer')
