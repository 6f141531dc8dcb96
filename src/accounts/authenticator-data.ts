/** What an authenticator sends in CBOR, read by the library and accepted only in the one spelling that it would write. */
import { decodeAttestationObject, isoCBOR, parseAuthenticatorData } from '@simplewebauthn/server/helpers'
import { type PasskeyAlgorithm, readPasskeyKey } from './cose-key.js'
import { notAccepted, type PasskeyRefusal } from './passkey-refusal.js'

export interface AuthenticatorData {
  readonly counter: number
  /** BE: it may be synced between devices. */
  readonly backupEligible: boolean
  /** There at registration alone. */
  readonly attested?: { readonly credentialId: Buffer; readonly publicKey: Buffer }
}

/** What an authenticator says of the credential that it made. */
export interface NewCredentialData extends Pick<AuthenticatorData, 'counter' | 'backupEligible'> {
  readonly credentialId: Buffer
  readonly publicKey: Buffer
  readonly algorithm: PasskeyAlgorithm
}

type Parsed = ReturnType<typeof parseAuthenticatorData>

/**
 * Authenticator data (WebAuthn Level 3, section 6.1) of at most `bytes.length` bytes, which the caller bounds.
 * The library takes a byte string that ends early, and never compares what it read with what was sent: it is written
 * anew and must be the same.
 */
export function readAuthenticatorData(bytes: Buffer): AuthenticatorData | PasskeyRefusal {
  let parsed: Parsed
  let same: boolean
  try {
    parsed = parseAuthenticatorData(new Uint8Array(bytes))
    same = rewritten(bytes, parsed).equals(bytes)
  } catch (error) {
    return notAccepted('encoding', `authenticator data: ${messageOf(error)}`)
  }
  if (!same) return notAccepted('encoding', 'authenticator data is not what was read of it')
  const { flags, counter, credentialID, credentialPublicKey } = parsed
  if (flags.bs && !flags.be) return notAccepted('flags', 'it is backed up, but cannot be')
  const data = { counter, backupEligible: flags.be }
  if (!credentialID || !credentialPublicKey) return data
  const attested = { credentialId: Buffer.from(credentialID), publicKey: Buffer.from(credentialPublicKey) }
  return { ...data, attested }
}

function rewritten(
  bytes: Buffer,
  { credentialID, credentialPublicKey, extensionsDataBuffer }: Parsed,
): Buffer {
  const fixed = 37 + (credentialID ? 18 + credentialID.length : 0)
  const none = new Uint8Array()
  return Buffer.concat([bytes.subarray(0, fixed), credentialPublicKey ?? none, extensionsDataBuffer ?? none])
}

/**
 * The authenticator data of an attestation object (WebAuthn Level 3, section 6.5.4). None was asked for, so what comes
 * is `none`, or a signature by the key itself, which browsers leave as it is (`packed` without certificates). With a
 * certificate the library would follow addresses in it.
 */
export function readAttestationObject(bytes: Buffer): NewCredentialData | PasskeyRefusal {
  let object: ReadonlyMap<unknown, unknown>
  let same: boolean
  try {
    const decoded = decodeAttestationObject(new Uint8Array(bytes))
    object = decoded as unknown as ReadonlyMap<unknown, unknown>
    same = bytes.equals(isoCBOR.encode(decoded as unknown as Parameters<typeof isoCBOR.encode>[0]))
  } catch (error) {
    return notAccepted('encoding', `attestation object: ${messageOf(error)}`)
  }
  if (!same) return notAccepted('encoding', 'the attestation object is not what was read of it')
  if (!(object instanceof Map) || object.size !== 3) return notAccepted('encoding', 'no attestation object')
  const authData: unknown = object.get('authData')
  if (!(authData instanceof Uint8Array)) return notAccepted('encoding', 'there is no authenticator data')
  const data = readAuthenticatorData(Buffer.from(authData))
  if ('refused' in data) return data
  if (!data.attested) return notAccepted('flags', 'there is no attested credential')
  const key = readPasskeyKey(data.attested.publicKey)
  if ('refused' in key) return key
  const format: unknown = object.get('fmt')
  const statement: unknown = object.get('attStmt')
  if (!(statement instanceof Map)) return notAccepted('attestation', 'there is no statement')
  const bySelf = format === 'packed' && statement.size === 2 && statement.get('sig') instanceof Uint8Array
  if (bySelf ? statement.get('alg') !== key.algorithm : format !== 'none' || statement.size !== 0)
    return notAccepted('attestation', 'none was asked for')
  const { counter, backupEligible, attested } = data
  return { counter, backupEligible, ...attested, ...key }
}

/** A stack that overflowed, by arrays in arrays, is an error like another. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unreadable'
}
