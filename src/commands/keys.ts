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
}

const dryRun = ['--dry-run', 'try it and print the timeline it would make; nothing is kept'] as const

export function keyCommands(program: OperatorCommand): void {
  const keys = program.command('keys').description('the signing keys')
  keys
    .command('list')
    .description('every key with its times: what signs now, what is ready, until when each verifies')
    .acts(async (domain, form: Form) => {
      const ring = await (await domain.keys('reads')).list()
      say(form, { items: describeRing(ring) }, timeline(ring))
    })

  keys
    .command('rotate')
    .description(
      'let the next key sign as soon as every verifier can know it; or end a key that has leaked, at once',
    )
    // A kid may begin with a dash, so whatever follows is the value: in `--compromised --kek <id>`, too.
    .allowExcessArguments()
    .option('--compromised <kid>', 'this key has leaked, or `all` of them: nobody is signed out')
    .option('--kek <id>', 'this key-encryption key has leaked, and with it every key ever sealed under it')
    .option(
      '--since <time>',
      'believe what a leaked key signed before then (ISO 8601); default: nothing',
      instant,
    )
    .option(...dryRun)
    .option(...asJson)
    .action((form: RotateForm, { args }: Command) => rotate(withKek(form, args)))

  keys
    .command('reseal')
    .description('seal all keys under the newest key-encryption key (the last id in alphabetical order)')
    .option(...dryRun)
    .acts(async (domain, form: ChangeForm) => {
      const answer = await (await domain.keys('changes')).reseal(occasion(form))
      const sealed = answer === 'already-sealed'
      sayChange(form, answer, sealed ? 'All keys are sealed under the newest already.' : 'Resealed.')
    })

  keys
    .command('export')
    .description('the public keys as a JWK Set (JSON in any case), for devices that are offline')
    .acts(async domain => {
      const ring = await (await domain.keys('reads')).list()
      print(serializeJwks(publishedKeys(ring)))
    })

  keys
    .command('doctor')
    .description('whether clocks, times and keys are well; exit code 1 where they are not')
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
  if (form.compromised !== '--kek' || more.length > 0) throw new CommandFailed(`what is ${id}? See --help`)
  const { compromised: _, ...rest } = form
  return { ...rest, kek: id }
}

async function rotate(form: RotateForm): Promise<void> {
  const { compromised, kek, since } = form
  if (compromised !== undefined && kek !== undefined)
    throw new CommandFailed('name what leaked once: --compromised <kid>, --compromised all, or --kek <id>')
  const leak = leakOf(compromised, kek)
  if (!leak && since !== undefined)
    throw new CommandFailed('--since goes with --compromised or --kek: say which key has leaked')
  await withOperator(form, async domain => {
    const keys = await domain.keys('changes')
    return leak ? endLeaked(keys, leak, form) : rotateAsPlanned(keys, form)
  })
}

async function rotateAsPlanned(operations: KeyOperations, form: ChangeForm) {
  const answer = await operations.rotate(occasion(form))
  if (answer === 'no-standby')
    throw new CommandFailed('no key stands by: start the service, it publishes one')
  if (answer === 'shut')
    throw new CommandFailed(
      'the next key does not open, so every token would fail: `mintmark keys doctor` says why; run it with the MINTMARK_KEYS_FOLDER and the ISSUER of the service, or end that key (`mintmark keys rotate --compromised <kid>`)',
    )
  const scheduled = answer === 'already-scheduled'
  sayChange(form, answer, scheduled ? 'A rotation is scheduled already.' : 'The next key is scheduled.')
}

async function endLeaked(operations: KeyOperations, leak: Leak, form: RotateForm) {
  const answer = await operations.compromise(leak, form.since ?? null, occasion(form))
  if (answer === 'unknown-key') throw new CommandFailed('there is no such key: `mintmark keys list` has them')
  if (answer === 'no-other-kek')
    throw new CommandFailed(
      'fresh keys would be sealed under the key-encryption key that leaked: first put another one, with a later name, into MINTMARK_KEYS_FOLDER of every instance',
    )
  if (answer === 'since-in-future')
    throw new CommandFailed('--since lies in the future: give a time that has passed, or leave it out')
  const { policy } = typeof answer === 'string' ? await operations.list() : answer
  const said =
    answer === 'already-marked'
      ? ['It is marked as compromised already.']
      : ['The leaked keys are marked; a sound key signs from the next token on. No session ends.']
  sayChange(form, answer, [...said, ...exposureInWords(policy)], { exposure: describeExposure(policy) })
}

const occasion = ({ dryRun = false }: ChangeForm) => ({ by: operator, dryRun })

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
  const lines = form.dryRun ? ['A dry run: nothing was changed. It would be:'] : [said].flat()
  say(form, { ...state, items: describeRing(answer) }, [...lines, '', ...timeline(answer)])
}

function instant(text: string): number {
  const at = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new InvalidArgumentError('It takes a time like 2026-01-31T12:00:00Z.')
  return Math.floor(at / 1000)
}
