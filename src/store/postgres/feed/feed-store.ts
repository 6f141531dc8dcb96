/** The feed in Postgres: read by single statements on a connection of its own. */
import { type Handle, handleForm } from '../../../core/handle.js'
import type { Kid } from '../../../core/principal.js'
import { type FeedReading, type FeedStore, mostEntries } from '../../../feed/store.js'
import { answer, type HotReads, signingKid } from '../hot-reads.js'
import { type Answer, fits, isBoolean, isNull, isNumber, isText, itself, or } from '../row-shape.js'

/** As it is sent: 8 bytes, base64url, without padding. */
const handle = (column: string) => `left(translate(encode(int8send(${column}), 'base64'), '+/', '-_'), 11)`

/** Seconds: some more than the window, so that nothing is missing at its edge. */
const fromScratchSeconds = 1000

/** What was numbered so long ago that no token can carry it; the head is read in any case. */
const scratch = `least(f.head - 1, coalesce((select position from revocations
    where sequenced_at < now() - interval '${fromScratchSeconds} seconds' order by sequenced_at desc limit 1), 0))`

const readStatement = `select ${answer('$1::text')},
  extract(epoch from now())::float8 as asof,
  f.head::float8 as head,
  exists (select from revocations where position is null) as unsequenced,
  exists (select from feed_waits where until > now()) as waited,
  ${signingKid} as kid,
  (select coalesce(json_agg(json_build_array(e.position, ${handle('e.handle')}) order by e.position), '[]')
    from (select position, handle from revocations
      where position > coalesce($2::bigint, ${scratch}) order by position limit ${mostEntries}) e) as entries
  from service g, revocation_feed f where g.only and f.only`

const sequenceStatement = `select ${answer('$1::text')}, sequence_revocations()::float8 as sequenced
  from service g where g.only`

const atStatement = `select ${answer('$1::text')},
  (select ${handle('handle')} from revocations where position = $2::bigint) as handle
  from service g where g.only`

interface ReadRow extends Answer, FeedReading {
  readonly kid: Kid
}

interface SequenceRow extends Answer {
  readonly sequenced: number
}

interface AtRow extends Answer {
  readonly handle: Handle | null
}

/** `hot` is of the feed alone: a numbering that waits for a standby holds up no check and no mint. */
export function postgresFeedStore(hot: HotReads): FeedStore {
  return {
    async read(after) {
      const { asof, generation, head, unsequenced, waited, entries, kid } = await hot.ask<ReadRow>(
        'feed',
        readStatement,
        ['feed', after === undefined ? null : String(after)],
        isSoundReading,
      )
      return { asof, generation, head, unsequenced, waited, entries, kid: kid ?? undefined }
    },

    async sequence() {
      const isSound = (row: SequenceRow) => fits(row, { ...itself, sequenced: isNumber })
      return (await hot.ask<SequenceRow>('sequence', sequenceStatement, ['sequence'], isSound)).sequenced
    },

    async at(position) {
      const isSound = (row: AtRow) => fits(row, { ...itself, handle: or(isText, isNull) })
      return (await hot.ask<AtRow>('at', atStatement, ['at', String(position)], isSound)).handle ?? undefined
    },
  }
}

function isSoundReading(row: ReadRow): boolean {
  const isEntries = (value: unknown) =>
    Array.isArray(value) &&
    value.every(
      (entry, at) =>
        Array.isArray(entry) &&
        Number.isSafeInteger(entry[0]) &&
        handleForm.test(String(entry[1])) &&
        (at === 0 || entry[0] === value[at - 1][0] + 1),
    )
  const flags = { unsequenced: isBoolean, waited: isBoolean }
  const shape = { asof: isNumber, head: isNumber, kid: or(isText, isNull) }
  return fits(row, { ...itself, ...shape, ...flags, entries: isEntries })
}
