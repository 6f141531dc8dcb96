/** A software authenticator and the browser before it, for the tests alone: it answers as they do, and lies in each field on demand. */
import { hash, type KeyObject, randomBytes, sign as signBytes } from 'node:crypto'
import { type Cbor, cbor } from './cbor.js'
import { type Algorithm, type CoseMap, newKey } from './cose.js'

export interface Flags {
  readonly up: boolean
  readonly uv: boolean
  readonly be: boolean
  readonly bs: boolean
  readonly at: boolean
  readonly ed: boolean
}

/** What is said instead of the truth. */
export interface Lies {
  readonly type?: string
  readonly challenge?: string
  readonly origin?: string
  readonly crossOrigin?: unknown
  readonly topOrigin?: unknown
  /** Instead of all of `clientDataJSON`. */
  readonly clientData?: string | Buffer
  readonly rpId?: string
  readonly rpIdHash?: Buffer
  readonly flags?: Partial<Flags>
  readonly counter?: number
  readonly aaguid?: Buffer
  readonly credentialId?: Buffer
  /** Instead of the COSE key, or a change of it. */
  readonly coseKey?: Buffer | ((key: CoseMap) => void)
  /** Bytes behind the key or the counter; with ED they are extensions. */
  readonly extensions?: Buffer
  /** Bytes behind everything in the authenticator data. */
  readonly trailing?: Buffer
  /** Instead of the authenticator data, from what they would be. */
  readonly authData?: (honest: Buffer) => Buffer
  readonly fmt?: string
  /** Instead of an empty statement; `self` signs with the credential's own key. */
  readonly attStmt?: Cbor | 'self'
  readonly attestationObject?: (honest: Buffer) => Buffer
  /** Another key signs. */
  readonly key?: KeyObject
  readonly signature?: (honest: Buffer) => Buffer
  /** `null`: none is sent. */
  readonly userHandle?: Buffer | string | null
  /** Last, members of the JSON and of its `response` that are replaced; `undefined` takes one away. */
  readonly json?: Readonly<Record<string, unknown>>
  readonly response?: Readonly<Record<string, unknown>>
}

interface Held {
  readonly id: Buffer
  readonly rpId: string
  readonly user: string
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  counter: number
}

interface CreationOptions {
  readonly challenge: string
  readonly rp: { readonly id?: string }
  readonly user: { readonly id: string }
  readonly pubKeyCredParams: readonly { readonly alg: number }[]
  readonly excludeCredentials?: readonly { readonly id: string }[]
}
interface RequestOptions {
  readonly challenge: string
  readonly rpId?: string
  readonly allowCredentials?: readonly { readonly id: string }[]
}

export interface Settings {
  readonly origin: string
  readonly algorithm?: Algorithm
  /** Of every answer; UP and UV by default. */
  readonly flags?: Partial<Flags>
  /** False: the counter stays 0, as with synced passkeys. */
  readonly counts?: boolean
}

export type SoftwareAuthenticator = ReturnType<typeof softwareAuthenticator>

export function softwareAuthenticator({ origin, algorithm = -7, flags = {}, counts = true }: Settings) {
  const held: Held[] = []
  const rest = (lies: Lies) => ({ ...flags, ...lies.flags })

  return {
    held,

    /** `navigator.credentials.create()`, as `PublicKeyCredential.toJSON()` gives it. */
    create(options: CreationOptions, lies: Lies = {}) {
      const offered = options.pubKeyCredParams.some(({ alg }) => alg === algorithm)
      if (!offered) throw new Error('NotSupportedError')
      const excluded = options.excludeCredentials?.some(({ id }) => held.some(own => text(own.id) === id))
      if (excluded) throw new Error('InvalidStateError')
      const { privateKey, coseKey } = newKey(algorithm)
      const id = lies.credentialId ?? randomBytes(32)
      const rpId = options.rp.id ?? ''
      const own: Held = { id, rpId, user: options.user.id, algorithm, privateKey, counter: 0 }
      held.push(own)
      if (typeof lies.coseKey === 'function') lies.coseKey(coseKey)
      const key = Buffer.isBuffer(lies.coseKey) ? lies.coseKey : cbor(coseKey)
      const length = Buffer.from([id.length >> 8, id.length & 0xff])
      const attested = Buffer.concat([lies.aaguid ?? Buffer.alloc(16), length, id, key])
      const authData = authenticatorData(own, attested, { ...lies, flags: { at: true, ...rest(lies) } })
      const clientData = clientDataOf('webauthn.create', options.challenge, origin, lies)
      const attStmt: Cbor =
        lies.attStmt === 'self'
          ? new Map<string, Cbor>([
              ['alg', algorithm],
              ['sig', signature(own, authData, clientData, lies)],
            ])
          : (lies.attStmt ?? new Map())
      const object = cbor(
        new Map<string, Cbor>([
          ['fmt', lies.fmt ?? (lies.attStmt === 'self' ? 'packed' : 'none')],
          ['attStmt', attStmt],
          ['authData', authData],
        ]),
      )
      return credentialJson(id, lies, {
        clientDataJSON: text(clientData),
        attestationObject: text(lies.attestationObject?.(object) ?? object),
        transports: ['hybrid', 'internal'],
      })
    },

    /** `navigator.credentials.get()`; the newest credential that fits answers. */
    get(options: RequestOptions, lies: Lies = {}) {
      const allowed = options.allowCredentials?.map(({ id }) => id)
      const own = held.findLast(
        ({ id, rpId }) => rpId === options.rpId && (!allowed?.length || allowed.includes(text(id))),
      )
      if (!own) throw new Error('NotAllowedError')
      if (counts) own.counter++
      const authData = authenticatorData(own, undefined, { ...lies, flags: rest(lies) })
      const clientData = clientDataOf('webauthn.get', options.challenge, origin, lies)
      const { userHandle = own.user } = lies
      const handle = Buffer.isBuffer(userHandle) ? text(userHandle) : (userHandle ?? undefined)
      return credentialJson(lies.credentialId ?? own.id, lies, {
        clientDataJSON: text(clientData),
        authenticatorData: text(authData),
        signature: text(signature(own, authData, clientData, lies)),
        ...(handle !== undefined && { userHandle: handle }),
      })
    },
  }
}

const text = (bytes: Buffer) => bytes.toString('base64url')
const sha256 = (bytes: string | Buffer) => hash('sha256', bytes, 'buffer')

/** Members that browsers always write stand first (WebAuthn Level 3, section 5.8.1.1). */
function clientDataOf(type: string, challenge: string, origin: string, lies: Lies): Buffer {
  if (lies.clientData !== undefined) return Buffer.from(lies.clientData)
  const said = {
    type: lies.type ?? type,
    challenge: lies.challenge ?? challenge,
    origin: lies.origin ?? origin,
    crossOrigin: 'crossOrigin' in lies ? lies.crossOrigin : false,
    topOrigin: lies.topOrigin,
  }
  return Buffer.from(JSON.stringify(said))
}

/** WebAuthn Level 3, section 6.1. */
function authenticatorData(own: Held, attested: Buffer | undefined, lies: Lies): Buffer {
  const { up = true, uv = true, be, bs, at, ed = lies.extensions !== undefined } = lies.flags ?? {}
  const bits = [up, false, uv, be, bs, false, at, ed]
  const head = Buffer.alloc(5)
  head.writeUInt8(bits.reduce((sum, bit, index) => sum | (bit ? 1 << index : 0), 0))
  head.writeUInt32BE(lies.counter ?? own.counter, 1)
  const none = Buffer.alloc(0)
  const honest = Buffer.concat([
    ...[lies.rpIdHash ?? sha256(lies.rpId ?? own.rpId), head, attested ?? none],
    ...[lies.extensions ?? none, lies.trailing ?? none],
  ])
  return lies.authData?.(honest) ?? honest
}

function signature(own: Held, authData: Buffer, clientData: Buffer, lies: Lies): Buffer {
  const data = Buffer.concat([authData, sha256(clientData)])
  const honest = signBytes(own.algorithm === -8 ? null : 'sha256', data, lies.key ?? own.privateKey)
  return lies.signature?.(honest) ?? honest
}

function credentialJson(id: Buffer, lies: Lies, response: Readonly<Record<string, unknown>>) {
  return {
    id: text(id),
    rawId: text(id),
    type: 'public-key',
    authenticatorAttachment: 'platform',
    clientExtensionResults: response.attestationObject ? { credProps: { rk: true } } : {},
    response: { ...response, ...lies.response },
    ...lies.json,
  }
}
