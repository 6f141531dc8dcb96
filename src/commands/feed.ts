/** `mintmark feed …`: where the revocation feed is, who follows it, and what comes. */
import { setTimeout } from 'node:timers/promises'
import { InvalidArgumentError } from 'commander'
import type { Operator } from '../boot/operator.js'
import { pageOf } from '../core/page.js'
import type { ServiceKeyId } from '../core/principal.js'
import { stateOf, type VerifierState, verifierStates } from '../feed/receipts.js'
import { type RegistryReading, type Verifier, verifierName, writePosition } from '../feed/verifiers.js'
import { limited } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator } from './context.js'
import { type Form, isRead, type ListForm, type Listing, print, say, sayList } from './output.js'
import { cell, details, time } from './table.js'

const tailEveryMs = 500

export function feedCommands(program: OperatorCommand): void {
  const feed = program.command('feed').description('look at the revocation feed, and who follows it')

  feed
    .command('status')
    .description('show where the feed is, and how many verifiers have applied it')
    .acts(async (domain, form: Form) => {
      const facts = await domain.feed.reports.facts()
      const reading = await domain.feed.receipts.read()
      const { generation, position, entries, unsequenced } = facts
      const verifiers = countsOf(reading)
      say(form, { generation, head: position, entries, unsequenced, verifiers }, [
        ...details({
          generation: String(generation),
          head: String(position),
          entries: `${entries} that a token can still carry`,
          unsequenced: String(unsequenced),
          verifiers: verifierStates.map(state => `${verifiers[state]} ${state}`).join(', '),
        }),
      ])
    })

  const verifiers = feed.command('verifiers').description('list and forget the verifiers that report')
  verifiers
    .command('list', { isDefault: true })
    .description('list the verifiers that reported within a day, and up to where each has applied the feed')
    .option(...limited)
    .acts(async (domain, form: ListForm) => {
      const reading = await domain.feed.receipts.read()
      const ids = reading.verifiers.map(idOf)
      await sayList(
        form,
        async ({ limit, after }) => {
          const start = after === undefined ? 0 : ids.indexOf(after) + 1
          return pageOf(reading.verifiers.slice(start, start + limit + 1), limit, idOf)
        },
        listing(reading),
      )
    })

  verifiers
    .command('forget')
    .argument('<id>', 'as in the list')
    .description('forget a verifier that has ended for good: no receipt names it until it asks again')
    // It begins with the id of a key, which may begin with a dash.
    .allowUnknownOption()
    .acts(async (domain, id: string, form: Form) => {
      const [, key = '', v = ''] = /^([^/]*)\/(.*)$/s.exec(id) ?? []
      answered(await domain.feed.forget(key as ServiceKeyId, v, operator), {
        unknown: `there is no verifier ${id}: run \`mintmark feed verifiers list\` to see all`,
      })
      say(form, { id, forgotten: true }, `Forgot ${id}.`)
    })

  feed
    .command('tail')
    .description('print the position and the kind of each revocation as it comes, until it is interrupted')
    .option('--since <position>', 'begin after this position (default: with the next revocation)', position)
    .acts((domain, form: Form & { since?: number }) => tail(domain, form))
}

async function tail({ feed: { reports } }: Operator, { since, json }: Form & { since?: number }) {
  const interrupted = new AbortController()
  const end = () => interrupted.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  let last = since ?? (await reports.position()).position
  while (!interrupted.signal.aborted && isRead()) {
    const entries = await reports.after(last, 1000)
    for (const { position, kind, at } of entries) {
      print(
        json ? JSON.stringify({ position, kind, at: Math.floor(at) }) : `${time(at)}  ${position}  ${kind}`,
      )
      last = position
    }
    if (entries.length === 0)
      await setTimeout(tailEveryMs, undefined, { signal: interrupted.signal }).catch(() => {})
  }
  process.removeListener('SIGINT', end).removeListener('SIGTERM', end)
}

function countsOf(reading: RegistryReading) {
  const { generation, head: position, verifiers } = reading
  const count = (state: VerifierState) =>
    verifiers.filter(one => stateOf(one, { generation, position }, reading) === state).length
  return {
    confirmed: count('confirmed'),
    fenced: count('fenced'),
    waiting: count('waiting'),
    silent: count('silent'),
  }
}

const idOf = ({ key, v }: Verifier) => `${key}/${v}`
const appliedOf = ({ applied }: Verifier) => (applied ? writePosition(applied) : null)

function listing(reading: RegistryReading): Listing<Verifier> {
  const { generation, head: position } = reading
  const state = (one: Verifier) => stateOf(one, { generation, position }, reading)
  return {
    heads: ['ID', 'NAME', 'MODE', 'MAX AGE', 'STATE', 'APPLIED', 'LAST SEEN', 'LEFT'],
    row: one => [
      idOf(one),
      verifierName(one),
      one.mode,
      `${one.maxAgeSeconds} s`,
      state(one),
      cell(appliedOf(one)),
      time(one.lastSeenAt),
      one.leftAt === null ? cell(null) : time(one.leftAt),
    ],
    document: one => ({
      id: idOf(one),
      verifier: verifierName(one),
      mode: one.mode,
      max_age_seconds: one.maxAgeSeconds,
      state: state(one),
      applied: appliedOf(one),
      jwks: one.jwks,
      first_seen_at: Math.floor(one.firstSeenAt),
      last_seen_at: Math.floor(one.lastSeenAt),
      left_at: one.leftAt === null ? null : Math.floor(one.leftAt),
    }),
    none: 'No verifier reports.',
  }
}

function position(text: string): number {
  if (/^(0|[1-9][0-9]{0,14})$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a position: a whole number.')
}
