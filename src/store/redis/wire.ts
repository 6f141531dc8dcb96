/**
 * What Redis sends, held to its protocol before the driver acts on it: nonsense ends the connection that it came on.
 * The driver throws what a reply makes it trip over where nobody can catch it, and that would end the process; and it
 * allocates for whatever length it is told. It makes connections of its own for a Cluster, so this is set on all.
 */
import { Command } from 'ioredis'
import dataHandler from 'ioredis/built/DataHandler.js'
import decoder from 'ioredis/built/resp/decoder.js'
import { NotAReply, ReplyBounds } from './reply-bounds.js'

/** As far as it is used here (ioredis, lib/DataHandler.ts and lib/resp/decoder.ts). */
interface Handler {
  readonly redis: {
    readonly stream: { destroy(): void }
    readonly commandQueue: { shift(): unknown }
    recoverFromFatalError(commandError: Error, error: Error, flush: { offlineQueue: boolean }): void
  }
  dispatch(act: () => void): void
  shiftCommand(reply: unknown): unknown
  returnFatalError(error: Error): void
}

const handler = dataHandler.default.prototype as unknown as Handler

/** Whatever waits on the connection fails, and it is made anew: which reply belongs to whom is not known any more. */
handler.returnFatalError = function (cause) {
  const error = cause instanceof NotAReply ? cause : new NotAReply(cause.message, { cause })
  this.redis.recoverFromFatalError(error, error, { offlineQueue: false })
  this.redis.stream.destroy()
}

/** The driver throws this on at the next tick, where it ends the process. */
handler.dispatch = function (act) {
  try {
    act()
  } catch (error) {
    this.returnFatalError(error as Error)
  }
}

/** The driver goes on after a reply to nothing, and reads a null of them to pieces. */
handler.shiftCommand = function () {
  const item = this.redis.commandQueue.shift()
  if (!item) throw new NotAReply('Redis sent a reply to no command')
  return item
}

const parser = decoder.Decoder.prototype
const { write } = parser
const bounds = new WeakMap<object, ReplyBounds>()

parser.write = function (chunk: Buffer) {
  const bound = bounds.get(this) ?? new ReplyBounds()
  bounds.set(this, bound)
  bound.accept(chunk)
  return write.call(this, chunk)
}

/** The driver reads the slots of a Cluster without looking, in a callback whose error nobody can catch either. */
Command.setReplyTransformer('cluster', (reply: unknown) => {
  const sound = Array.isArray(reply) ? reply.every(isPlainOrRange) : isPlain(reply)
  if (!sound) throw new NotAReply('Redis sent invalid slots')
  return reply
})

/** What other commands about a Cluster answer. */
const isPlain = (value: unknown) => typeof value === 'string' || typeof value === 'number'
const isPlainOrRange = (value: unknown) => isPlain(value) || isRange(value)

const mostSlots = 16_384

function isRange(range: unknown): boolean {
  if (!Array.isArray(range)) return false
  const [first, last, ...nodes] = range as unknown[]
  return isWithin(first, 0, mostSlots - 1) && isWithin(last, first, mostSlots - 1) && nodes.every(isNode)
}

function isNode(node: unknown): boolean {
  if (!Array.isArray(node)) return false
  const [host, port] = node as unknown[]
  return (host === null || typeof host === 'string') && isWithin(port, 0, 65_535)
}

function isWithin(value: unknown, least: unknown, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= (least as number) && value <= most
}
