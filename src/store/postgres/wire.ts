/**
 * What Postgres sends, held to its protocol before the driver reads it (PostgreSQL, "Message Formats"): nonsense ends
 * the connection that it came on. The driver looks for the end of a name beyond that of its message, which never ends,
 * and throws in places where nobody can catch it, which would end the process; a length that is not one cuts a value short.
 */

/** Bytes of one message: a row of ours is a thousandth of it. */
const mostBytes = 16 * 1024 * 1024
/** Rounds that a server may make us hash a password for. Its default is 4096. */
const mostRounds = 1_000_000

/** Messages that answer what is asked here, each with what must hold of its body. We copy nothing and open no portal. */
const bodies: Readonly<Record<string, (body: Buffer) => boolean>> = {
  R: isAuthentication,
  K: body => body.length >= 8,
  S: body => texts(body) === 2,
  Z: body => body.length === 1 && 'ITE'.includes(body.toString('latin1')),
  E: isError,
  N: isError,
  A: body => body.length > 4 && texts(body.subarray(4)) === 2,
  1: body => body.length === 0,
  2: body => body.length === 0,
  n: body => body.length === 0,
  I: body => body.length === 0,
  t: body => body.length >= 2 && body.length === 2 + 4 * body.readUInt16BE(0),
  C: body => texts(body) === 1,
  T: body => columnsOf(body) !== undefined,
  D: body => valuesOf(body) !== undefined,
}

export class ProtocolFault extends Error {
  /** As the operating system calls it, so that it is an outage like any other connection that breaks. */
  readonly code = 'EPROTO'
}

export class PostgresMessages {
  #parts: Buffer[] = []
  #have = 0
  #need = 5
  /** Of the statement that is being answered: how many columns its rows have, or that it has none. */
  #columns: number | 'none' | undefined

  /** The messages that are complete by now; the rest waits for the next chunk. Throws `ProtocolFault`. */
  complete(chunk: Buffer): Buffer | undefined {
    this.#parts.push(chunk)
    this.#have += chunk.length
    if (this.#have < this.#need) return undefined
    const all = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts)
    let at = 0
    this.#need = 5
    while (all.length - at >= 5) {
      const length = all.readUInt32BE(at + 1)
      if (length < 4 || length > mostBytes) throw new ProtocolFault('Postgres sent an invalid length')
      if (all.length - at <= length) {
        this.#need = length + 1
        break
      }
      this.#check(String.fromCharCode(all[at] as number), all.subarray(at + 5, at + 1 + length))
      at += length + 1
    }
    const rest = all.subarray(at)
    this.#parts = rest.length === 0 ? [] : [rest]
    this.#have = rest.length
    return at === 0 ? undefined : all.subarray(0, at)
  }

  #check(type: string, body: Buffer): void {
    const isSound = Object.hasOwn(bodies, type) ? bodies[type] : undefined
    if (!isSound?.(body)) throw new ProtocolFault('Postgres sent an invalid answer')
    if (type === 'T' || type === 'n') {
      if (this.#columns !== undefined) throw new ProtocolFault('Postgres described one statement twice')
      this.#columns = type === 'n' ? 'none' : body.readUInt16BE(0)
    }
    // What was prepared before is not described again.
    if (type === 'D' && this.#columns !== undefined && this.#columns !== body.readUInt16BE(0))
      throw new ProtocolFault('Postgres sent a row of another statement')
    if (type === 'C' || type === 'I' || type === 'Z') this.#columns = undefined
  }
}

/** How many texts it consists of, each with a zero at its end; -1 where it is something else. */
function texts(body: Buffer): number {
  if (body.length === 0 || body[body.length - 1] !== 0) return -1
  let count = 0
  for (const byte of body) if (byte === 0) count++
  return count
}

/** Fields, each a letter and a text, and a zero behind them; one of them is the code, which is what we go by. */
function isError(body: Buffer): boolean {
  let coded = false
  for (let at = 0; at < body.length; ) {
    if (body[at] === 0) return coded && at === body.length - 1
    const end = body.indexOf(0, at)
    if (end === -1) return false
    coded ||= body[at] === 0x43 && /^[0-9A-Z]{5}$/.test(body.toString('latin1', at + 1, end))
    at = end + 1
  }
  return false
}

function columnsOf(body: Buffer): number | undefined {
  if (body.length < 2) return undefined
  const columns = body.readUInt16BE(0)
  let at = 2
  for (let column = 0; column < columns; column++) {
    const end = body.indexOf(0, at)
    if (end === -1) return undefined
    at = end + 1 + 18
  }
  return at === body.length ? columns : undefined
}

function valuesOf(body: Buffer): number | undefined {
  if (body.length < 2) return undefined
  const values = body.readUInt16BE(0)
  let at = 2
  for (let value = 0; value < values; value++) {
    if (body.length - at < 4) return undefined
    const length = body.readInt32BE(at)
    if (length < -1) return undefined
    at += 4 + Math.max(0, length)
  }
  return at === body.length ? values : undefined
}

/** Done, a password asked for in one of three ways, and the two further steps of SCRAM (RFC 5802). */
function isAuthentication(body: Buffer): boolean {
  if (body.length < 4) return false
  const text = body.toString('latin1', 4)
  switch (body.readUInt32BE(0)) {
    case 0:
    case 3:
      return body.length === 4
    case 5:
      return body.length === 8
    case 10:
      return text.split('\0').includes('SCRAM-SHA-256')
    case 11: {
      const [, rounds] = /^r=[!-+\--~]+,s=[A-Za-z0-9+/]+={0,2},i=([1-9]\d{0,6})$/.exec(text) ?? []
      return rounds !== undefined && Number(rounds) <= mostRounds
    }
    case 12:
      return /^v=[A-Za-z0-9+/]+={0,2}$/.test(text)
    default:
      return false
  }
}
