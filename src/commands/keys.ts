/** `mintmark keys …`: the key ring as a timeline, rotated, moved under another key-encryption key, exported, examined. */
import { type Command, InvalidArgumentError } from 'commander'
import { CommandFailed } from '../core/errors.js'
import type { Kid } from '../core/principal.js'
import type { Leak } from '../keys/compromise.js'
import { serializeJwks } from '../keys/key-ring.js'
import { describeExposure, describeRing, type KeyOperations } from '../keys/operations.js'
import { publishedKeys } from '../keys/schedule.js'
import type { Ring } from '../keys/store.js'
import type { OperatorCommand } from './command.js'
import { operator, withOperator } from './context.js'
import { asJson, type Form, print, say } from './output.js'
import { details } from './table.js'
import { exposureInWords, timeline } from './timeline.js'

interface ChangeForm extends Form {
  readonly dryRun?: boolean
}
interface RotateForm extends ChangeForm {
  readonly compromised?: string
  readonly kek?: string
  readonly since?: number
  readonly force?: boolean
}

const dryRun = ['--dry-run', 'dry run: print the resulting timeline and change nothing'] as const

export function keyCommands(program: OperatorCommand): void {
  const keys = program.command('keys').description('manage the signing keys')
  keys
    .command('list')
    .description('list every key: which one signs now, which one is next, and until when each verifies')
    .acts(async (domain, form: Form) => {
      const ring = await (await domain.keys('reads')).list()
      say(form, { items: describeRing(ring) }, timeline(ring))
    })

  keys
    .command('rotate')
    .description(
      'rotate to the next key as soon as every verifier can know it; or withdraw a leaked key at once',
    )
    // A kid may begin with a dash, so whatever follows is the value: in `--compromised --kek <id>`, too.
    .allowExcessArguments()
    .option('--compromised <kid>', 'a leaked key, or `all`; nobody is signed out')
    .option('--kek <id>', 'a leaked key-encryption key, and with it every key ever sealed under it')
    .option(
      '--since <time>',
      'accept signatures that a leaked key made before this time (ISO 8601); default: none',
      instant,
    )
    .option('--force', 'rotate even if verifiers have reported that they do not hold the next key yet')
    .option(...dryRun)
    .option(...asJson)
    .action((form: RotateForm, { args }: Command) => rotate(withKek(form, args)))

  keys
    .command('reseal')
    .description('reseal all keys under the newest key-encryption key (the last id in alphabetical order)')
    .option(...dryRun)
    .acts(async (domain, form: ChangeForm) => {
      const answer = await (await domain.keys('changes')).reseal(options(form))
      const sealed = answer === 'already-sealed'
      sayChange(
        form,
        answer,
        sealed ? 'All keys are already sealed under the newest key-encryption key.' : 'Resealed.',
      )
    })

  keys
    .command('export')
    .description('print the public keys as a JWK Set (always JSON), for offline devices')
    .acts(async domain => {
      const ring = await (await domain.keys('reads')).list()
      print(serializeJwks(publishedKeys(ring)))
    })

  keys
    .command('doctor')
    .description('check clocks, times and keys; the exit code is 1 if one of them is wrong')
    .acts(async (domain, form: Form) => {
      const items = await (await domain.keys('reads')).doctor()
      const ok = items.every(finding => finding.ok)
      const facts = items.map(({ check, ok, says }) => [`${ok ? 'ok   ' : 'WRONG'}  ${check}`, says])
      say(form, { ok, items }, details(Object.fromEntries(facts)))
      if (!ok) process.exitCode = 1
    })
}

function withKek(form: RotateForm, [id, ...more]: readonly string[]): RotateForm {
  if (id === undefined) return form
  if (form.compromised !== '--kek' || more.length > 0)
    throw new CommandFailed(`unknown argument ${id}: see --help`)
  const { compromised: _, ...rest } = form
  return { ...rest, kek: id }
}

async function rotate(form: RotateForm): Promise<void> {
  const { compromised, kek, since } = form
  if (compromised !== undefined && kek !== undefined)
    throw new CommandFailed('give exactly one of --compromised <kid>, --compromised all and --kek <id>')
  const leak = leakOf(compromised, kek)
  if (!leak && since !== undefined)
    throw new CommandFailed('--since needs --compromised or --kek: say which key has leaked')
  await withOperator(form, async domain => {
    const keys = await domain.keys('changes')
    return leak ? endLeaked(keys, leak, form) : rotateAsPlanned(keys, form)
  })
}

async function rotateAsPlanned(operations: KeyOperations, form: RotateForm) {
  const answer = await operations.rotate({ ...options(form), force: form.force ?? false })
  if (typeof answer === 'object' && 'lacking' in answer)
    throw new CommandFailed(
      `these verifiers do not hold the next key yet, and would reject its tokens: ${answer.lacking.join(', ')}. Wait until they have fetched the keys (at most 5 minutes), restart those that do not, or give --force`,
    )
  if (answer === 'no-standby')
    throw new CommandFailed('there is no next key: start the service, which publishes one')
  if (answer === 'shut')
    throw new CommandFailed(
      'the next key cannot be opened, so no token could be minted: run `mintmark keys doctor` to see why, with the same MINTMARK_KEYS_FOLDER and ISSUER as the service, or withdraw that key (`mintmark keys rotate --compromised <kid>`)',
    )
  const scheduled = answer === 'already-scheduled'
  sayChange(form, answer, scheduled ? 'A rotation is already scheduled.' : 'The rotation is scheduled.')
}

async function endLeaked(operations: KeyOperations, leak: Leak, form: RotateForm) {
  const answer = await operations.compromise(leak, form.since ?? null, options(form))
  if (answer === 'unknown-key')
    throw new CommandFailed('there is no such key: run `mintmark keys list` to see all')
  if (answer === 'no-other-kek')
    throw new CommandFailed(
      'new keys would be sealed under the leaked key-encryption key: first add another one, with a later name, to MINTMARK_KEYS_FOLDER of every instance',
    )
  if (answer === 'since-in-future')
    throw new CommandFailed('--since is in the future: give a time in the past, or leave it out')
  const { policy } = typeof answer === 'string' ? await operations.list() : answer
  const said =
    answer === 'already-marked'
      ? ['The key is already marked as compromised.']
      : [
          'The leaked keys are marked as compromised. Another key signs from the next token on. No session was ended.',
        ]
  sayChange(form, answer, [...said, ...exposureInWords(policy)], { exposure: describeExposure(policy) })
}

const options = ({ dryRun = false }: ChangeForm) => ({ actor: operator, dryRun })

function leakOf(compromised: string | undefined, kek: string | undefined): Leak | undefined {
  if (kek !== undefined) return { kekId: kek }
  if (compromised === undefined) return undefined
  return compromised === 'all' ? 'all' : { kid: compromised as Kid }
}

function sayChange(
  form: ChangeForm,
  answer: Ring | string,
  said: string | string[],
  more: object = {},
): void {
  const changed = typeof answer !== 'string'
  const state = { changed, dry_run: form.dryRun ?? false, ...more }
  if (!changed) {
    say(form, state, said)
    return
  }
  const lines = form.dryRun ? ['Dry run: nothing was changed. The result would be:'] : [said].flat()
  say(form, { ...state, items: describeRing(answer) }, [...lines, '', ...timeline(answer)])
}

function instant(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new InvalidArgumentError('Write a time like 2026-01-31T12:00:00Z.')
  return Math.floor(at / 1000)
}
