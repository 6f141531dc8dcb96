/** Why the answer of an authenticator is refused: a word for metrics and tests, and a sentence for the log. */

export type PasskeyRefusalReason =
  /** The JSON is not that of a credential: a field is missing, too large or no base64url. */
  | 'malformed'
  /** `clientDataJSON` cannot be read, or the page stood in a frame of another site. */
  | 'client-data'
  /** CBOR that is not well-formed, or authenticator data with something missing or left over. */
  | 'encoding'
  /** Flags that contradict each other or do not belong there. */
  | 'flags'
  /** A form of attestation that was not asked for. */
  | 'attestation'
  /** A public key that was not offered, or is not well-formed. */
  | 'key'
  /** The answer names another credential. */
  | 'credential-id'
  /** The credential's owner is somebody else, or not named where they must be. */
  | 'user-handle'
  /** Backup eligibility is for ever what it was at registration. */
  | 'backup-eligibility'
  /** There is no such challenge for this purpose, user, session or browser, or it was used or has expired. */
  | 'no-challenge'
  /** Nobody has registered the credential, or it was removed. */
  | 'unknown-passkey'
  /** The credential is for a second step alone. */
  | 'not-first-step'
  /** The library did not verify it: type, challenge, origin, RP ID, user presence or verification, or the signature. */
  | 'not-verified'

export interface PasskeyRefusal {
  readonly refused: PasskeyRefusalReason
  /** For the log alone. Bounded; it may quote what was sent. */
  readonly detail: string
}

const mostDetail = 200

export function notAccepted(refused: PasskeyRefusalReason, detail: string): PasskeyRefusal {
  return { refused, detail: detail.slice(0, mostDetail) }
}
