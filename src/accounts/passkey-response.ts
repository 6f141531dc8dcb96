/** Answers of `navigator.credentials` as browsers send them in JSON, read strictly and within bounds, and not yet verified. */
import { notAccepted, type PasskeyRefusal } from './passkey-refusal.js'

/** Bytes. A credential id has at most 1023 and at least 16 (WebAuthn Level 3, section 4, "Credential ID"). */
const most = {
  id: 1023,
  challenge: 64,
  clientData: 4096,
  attestationObject: 16_384,
  authenticatorData: 1024,
  signature: 512,
  userHandle: 64,
} as const
const fewestIdBytes = 16

/** Words that a browser may add to (WebAuthn Level 3, section 5.8.4): kept as they are, if they are words. */
const transport = /^[a-z-]{1,20}$/
const mostTransports = 8

type Fields = Readonly<Record<string, unknown>>

interface Named {
  readonly credentialId: Buffer
  readonly clientDataJSON: string
  /** Which one it says that it answers. The signature is over it; that it is ours is the store's to say. */
  readonly challenge: Buffer
}
export interface RegistrationResponse extends Named {
  readonly attestationObject: Buffer
  readonly transports: readonly string[]
  /** What the browser says of it (`credProps.rk`); undefined: it does not know. */
  readonly discoverable: boolean | undefined
}
export interface AssertionResponse extends Named {
  readonly authenticatorData: Buffer
  readonly signature: Buffer
  readonly userHandle: Buffer | undefined
}

/** `RegistrationResponseJSON` (WebAuthn Level 3, section 5.1). Unknown members are passed over. */
export function readRegistrationResponse(body: unknown): RegistrationResponse | PasskeyRefusal {
  const named = readNamed(body)
  if ('refused' in named) return named
  const { response, clientExtensionResults, ...common } = named
  const attestationObject = bytesOf(response.attestationObject, most.attestationObject)
  if (!attestationObject) return notAccepted('malformed', 'attestationObject')
  const transports = Array.isArray(response.transports) ? response.transports : []
  const words = transports.slice(0, mostTransports).filter(word => typeof word === 'string')
  const rk = fieldsOf(fieldsOf(clientExtensionResults)?.credProps)?.rk
  return {
    ...common,
    attestationObject,
    transports: [...new Set(words.filter(word => transport.test(word)))],
    discoverable: typeof rk === 'boolean' ? rk : undefined,
  }
}

/** `AuthenticationResponseJSON`, likewise. */
export function readAssertionResponse(body: unknown): AssertionResponse | PasskeyRefusal {
  const named = readNamed(body)
  if ('refused' in named) return named
  const { response, credentialId, clientDataJSON, challenge } = named
  const authenticatorData = bytesOf(response.authenticatorData, most.authenticatorData)
  if (!authenticatorData) return notAccepted('malformed', 'authenticatorData')
  const signature = bytesOf(response.signature, most.signature)
  if (!signature) return notAccepted('malformed', 'signature')
  const absent = response.userHandle === undefined || response.userHandle === null
  const userHandle = absent ? undefined : bytesOf(response.userHandle, most.userHandle)
  if (!absent && !userHandle) return notAccepted('malformed', 'userHandle')
  return { credentialId, clientDataJSON, challenge, authenticatorData, signature, userHandle }
}

function readNamed(
  body: unknown,
): (Named & { readonly response: Fields; readonly clientExtensionResults: unknown }) | PasskeyRefusal {
  const { id, rawId, type, response, clientExtensionResults } = fieldsOf(body) ?? {}
  const credentialId = bytesOf(id, most.id)
  if (!credentialId || credentialId.length < fewestIdBytes || rawId !== id)
    return notAccepted('malformed', 'id')
  if (type !== 'public-key') return notAccepted('malformed', 'type')
  const fields = fieldsOf(response)
  if (!fields) return notAccepted('malformed', 'response')
  const clientData = bytesOf(fields.clientDataJSON, most.clientData)
  if (!clientData) return notAccepted('malformed', 'clientDataJSON')
  const said = readClientData(clientData)
  if (typeof said === 'string') return notAccepted('client-data', said)
  const clientDataJSON = clientData.toString('base64url')
  return { credentialId, clientDataJSON, ...said, response: fields, clientExtensionResults }
}

/**
 * The challenge, and what the library does not ask of client data (WebAuthn Level 3, section 5.8.1): that our page was
 * not in a frame of another site. It compares type, challenge and origin. A text says what is wrong.
 */
function readClientData(bytes: Buffer): { readonly challenge: Buffer } | string {
  let data: Fields | undefined
  try {
    data = fieldsOf(JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)))
  } catch {
    return 'it is not JSON'
  }
  if (!data) return 'it is not an object'
  if (data.crossOrigin !== undefined && data.crossOrigin !== false) return 'it comes from a frame'
  if (data.topOrigin !== undefined) return 'it comes from a frame of another origin'
  const challenge = bytesOf(data.challenge, most.challenge)
  return challenge ? { challenge } : 'the challenge is no base64url'
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

/** Base64url without padding, in its one spelling, of 1 to `limit` bytes. */
function bytesOf(value: unknown, limit: number): Buffer | undefined {
  if (typeof value !== 'string' || value === '' || value.length > Math.ceil((limit * 4) / 3)) return undefined
  const bytes = Buffer.from(value, 'base64url')
  return bytes.toString('base64url') === value ? bytes : undefined
}
