/** Follows replies of Redis as they come in (RESP2 and RESP3), and throws at what is not one, or too large to be ours. */

/** Bytes of a line (a number, an error, a length) and of a string. Nothing that we ask for is nearly as long. */
const mostLine = 64 * 1024
const mostString = 4 * 1024 * 1024
/** Values in an array, and arrays in each other. The slots of a whole Cluster are fewer. */
const mostValues = 100_000
const mostDepth = 16
/** Bytes of a reply with all that is in it. */
const mostBytes = 16 * 1024 * 1024

/** The first byte of a value -> what stands behind it, up to the end of the line. */
const lines: Readonly<Record<string, RegExp>> = {
  '+': /^/,
  '-': /^/,
  ':': /^[+-]?\d{1,19}$/,
  '(': /^[+-]?\d{1,400}$/,
  ',': /^([+-]?(\d{1,400}(\.\d*)?([eE][+-]?\d{1,4})?|inf)|nan)$/,
  '#': /^[tf]$/,
  _: /^$/,
}
const lengths: Readonly<Record<string, RegExp>> = {
  $: /^(-1|\d{1,8})$/,
  '!': /^\d{1,8}$/,
  '=': /^\d{1,8}$/,
  '*': /^(-1|\d{1,6})$/,
  '~': /^\d{1,6}$/,
  '%': /^\d{1,6}$/,
  '>': /^[1-9]\d{0,5}$/,
}
const isString = (type: string) => type === '$' || type === '!' || type === '='

/** What Redis sent is not what its protocol, or the command, has an answer be. */
export class NotAReply extends Error {
  override readonly name = 'NotAReply'
}

export class ReplyBounds {
  /** Of each array that has begun: how many values are still to come. */
  readonly #open: number[] = []
  /** Bytes of a string, and of its end, that are still to come. */
  #skip = 0
  /** A line, as far as it has come. */
  #line = ''
  #bytes = 0

  accept(chunk: Buffer): void {
    this.#bytes += chunk.length
    for (let at = 0; at < chunk.length; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        at += skipped
        if (this.#skip === 0) this.#end(chunk.length - at)
        continue
      }
      const end = chunk.indexOf(10, at)
      this.#line += chunk.toString('latin1', at, end === -1 ? chunk.length : end + 1)
      if (this.#line.length > mostLine) throw new NotAReply('Redis sent a line that is too long')
      if (end === -1) break
      at = end + 1
      this.#begin(this.#line, chunk.length - at)
      this.#line = ''
    }
    if (this.#bytes > mostBytes) throw new NotAReply('Redis sent a reply that is too large')
  }

  #begin(line: string, left: number): void {
    const [type = ''] = line
    const text = line.slice(1, -2)
    const form = lines[type] ?? lengths[type]
    if (!form || !line.endsWith('\r\n') || text.includes('\r') || !form.test(text))
      throw new NotAReply('Redis sent an invalid reply')
    const length = Number(text)
    if (isString(type) && length >= 0) {
      if (length > mostString || (type === '=' && length < 4))
        throw new NotAReply('Redis sent a string of an unexpected length')
      this.#skip = length + 2
      return
    }
    const values = isString(type) || lines[type] ? 0 : type === '%' ? length * 2 : length
    if (values > mostValues || (values > 0 && this.#open.length === mostDepth))
      throw new NotAReply('Redis sent an array of an unexpected length')
    if (values > 0) this.#open.push(values)
    else this.#end(left)
  }

  /** A value is complete, and perhaps what it stands in. `left` bytes of the chunk are of the next. */
  #end(left: number): void {
    while (this.#open.length > 0) {
      const last = this.#open.length - 1
      this.#open[last] = (this.#open[last] as number) - 1
      if ((this.#open[last] as number) > 0) return
      this.#open.pop()
    }
    this.#bytes = left
  }
}
