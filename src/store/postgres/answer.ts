/** Whether what the driver made of an answer is whole. It takes whatever comes for the answer to the next statement. */
import postgres from 'postgres'
import { Outage } from '../../core/errors.js'

type Pending = ReturnType<postgres.Sql['unsafe']>
type Result = Awaited<Pending>

/** As many rows as Postgres says that there are: one that was lost on the way does not mean that there is none. */
export function isWhole(result: Result): boolean {
  if (!Array.isArray(result) || typeof result.command !== 'string') return false
  if (result.count === null) return true
  const answersRows = result.command === 'SELECT' || (result.columns?.length ?? 0) > 0
  return result.length === (answersRows ? result.count : 0)
}

export const nonsense = (outcome: 'nothing' | 'unknown' = 'nothing') =>
  new Outage(outcome, 'Postgres answered a different question')

/** No answer at all: what the operating system, TLS and the driver's connection call that. */
const unreachable =
  /^((?!ERR_)E[A-Z_]+$|CONNECT|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|SASL_)/

export function isUnreachable(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code !== undefined && unreachable.test(code)
}

/** Postgres's own errors, and those of a connection; whatever else the driver trips over is no answer. */
export function isAnswer(error: unknown): boolean {
  return error instanceof postgres.PostgresError || isUnreachable(error)
}

/** A statement under way, of which drizzle asks for its rows or, before it is sent, for their values. */
export class Sent implements PromiseLike<Result> {
  readonly #query: Pending

  constructor(query: Pending) {
    this.#query = query
  }

  values(): this {
    this.#query.values()
    return this
  }

  // biome-ignore lint/suspicious/noThenProperty: it is what drizzle awaits
  then<A = Result, B = never>(
    done?: ((result: Result) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const whole = this.#query.then(
      result => {
        if (isWhole(result)) return result
        throw nonsense()
      },
      error => {
        throw isAnswer(error) ? error : nonsense()
      },
    )
    return whole.then(done, failed)
  }
}

/** The driver takes a value that is not one for false, or for another. */
export const parsers = {
  boolean: { to: 16, from: [16], parse: strictly(/^[tf]$/, text => text === 't') },
  number: {
    to: 0,
    from: [21, 23, 26, 700, 701],
    parse: strictly(/^(-?\d+(\.\d+)?(e[+-]\d+)?|NaN|-?Infinity)$/, Number),
  },
  bytea: {
    to: 17,
    from: [17],
    parse: strictly(/^\\x([0-9a-f]{2})*$/, text => Buffer.from(text.slice(2), 'hex')),
  },
} as unknown as Record<string, postgres.PostgresType>

function strictly<T>(form: RegExp, parse: (text: string) => T) {
  return (text: string): T => {
    if (form.test(text)) return parse(text)
    throw nonsense()
  }
}
