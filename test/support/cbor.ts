/** A CBOR writer for the tests alone (RFC 8949): enough for what authenticators send, and for what they must not send. */

export type Cbor =
  | number
  | string
  | boolean
  | Buffer
  | readonly Cbor[]
  | ReadonlyMap<number | string, Cbor>
  | Raw

/** Bytes that stand as they are, well-formed or not. */
export class Raw {
  readonly bytes: Buffer
  constructor(bytes: Buffer | string) {
    this.bytes = typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes
  }
}

export function cbor(value: Cbor): Buffer {
  if (value instanceof Raw) return value.bytes
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4])
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  if (value instanceof Map) return cborMap([...value])
  const items = value as readonly Cbor[]
  return Buffer.concat([head(4, items.length), ...items.map(cbor)])
}

/** Entries as they are given, the same key twice if need be. */
export function cborMap(entries: readonly (readonly [number | string, Cbor])[]): Buffer {
  return Buffer.concat([
    head(5, entries.length),
    ...entries.flatMap(([key, item]) => [cbor(key), cbor(item)]),
  ])
}

function head(major: number, argument: number): Buffer {
  const first = major << 5
  if (argument < 24) return Buffer.from([first | argument])
  if (argument < 0x100) return Buffer.from([first | 24, argument])
  if (argument < 0x10000) return Buffer.from([first | 25, argument >> 8, argument & 0xff])
  const long = Buffer.from([first | 26, 0, 0, 0, 0])
  long.writeUInt32BE(argument, 1)
  return long
}
