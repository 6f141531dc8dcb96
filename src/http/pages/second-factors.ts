/** The second factors that a user has: seen, named, removed; recovery codes; and a removal that an operator asked for. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Factor } from '../../accounts/factors.js'
import { fewRecoveryCodes } from '../../accounts/recovery-codes.js'
import { type Html, html } from '../../core/html.js'
import type { FactorHandlers } from '../handlers/factors.js'
import { isRecentlyAuthenticated } from '../middleware/fresh-proof.js'
import { Problem } from '../middleware/problem.js'
import { signedIn } from '../middleware/signed-in.js'
import { Id, Text } from '../shapes/schemas.js'
import type { FactorList } from './code-fields.js'
import { type Destination, type Frame, parameter, stepUpFor } from './frame.js'
import { buttonForm, type Fault, field, hidden, nothing, type Page } from './layout.js'
import { recoveryCodesPage } from './shown-codes.js'
import { ago, day, dayAndTime } from './times.js'

const here = '/second-factors'

const done = new Map([
  ['renamed', 'The second factor was renamed.'],
  ['removed', 'The second factor was removed.'],
  [
    'replaced',
    'Your new app is set up, and the earlier one no longer works. Your recovery codes stay valid.',
  ],
  ['stopped', 'The removal was stopped. Your second factors stay as they are.'],
])

/** A change asks for a recent authentication, by a second factor where there is one. */
export function owesStepUp(request: FastifyRequest, { factors }: FactorList): boolean {
  const { live } = signedIn(request)
  return !isRecentlyAuthenticated(live) || (factors.length > 0 && live.principal.acr !== 'aal2')
}

export function secondFactorPages(app: FastifyInstance, frame: Frame, acts: FactorHandlers): void {
  /** The step-up comes before the change, and leads back to the list. */
  const strongly = async (request: FastifyRequest, change: () => Promise<string | Page>) =>
    owesStepUp(request, await acts.list(request)) ? stepUpFor(here) : change()

  frame.get(app, here, request => list(request))
  frame.post(app, `${here}/rename`, {
    fields: { factor: Id, name: Text(100, 0) },
    work: (request, _reply, { factor, name }) =>
      strongly(request, async () => {
        if (name.trim() === '') throw new Problem('invalid_request')
        await acts.rename(request, factor, name.trim())
        return `${here}?done=renamed`
      }),
    again: (fault, request, { factor }) => list(request, besideName(fault, factor)),
  })
  frame.post(app, `${here}/remove`, {
    fields: { factor: Id },
    work: (request, _reply, { factor }) =>
      strongly(request, async () => {
        await acts.remove(request, factor)
        return `${here}?done=removed`
      }),
    again: (fault, request) => list(request, fault),
  })
  frame.post(app, `${here}/recovery-codes`, {
    fields: {},
    work: request =>
      strongly(request, async () =>
        recoveryCodesPage(
          await acts.replaceCodes(request),
          undefined,
          'Your earlier recovery codes no longer work.',
        ),
      ),
    again: (fault, request) => list(request, fault),
  })
  // By any session: a user who has lost their factors has no stronger one.
  frame.post(app, `${here}/stop-removal`, {
    fields: {},
    async work(request) {
      await acts.stopReset(request)
      return `${here}?done=stopped`
    },
    again: (fault, request) => list(request, fault),
  })

  async function list(request: FastifyRequest, fault?: Fault): Promise<string | Page> {
    // The account has a factor by now, and the session does not rest on one.
    if (fault?.code === 'insufficient_user_authentication') return stepUpFor(here)
    const [factors, to] = await Promise.all([acts.list(request), frame.destination(request)])
    const word = String(parameter(request, 'done'))
    const recovered = word === 'recovery' && factors.factors.length > 0
    return {
      ...page(factors, { now: signedIn(request).live.now, to, recovered, fault }),
      fault,
      done: recovered ? recoveredWords(factors.recoveryCodes) : done.get(word),
    }
  }
}

const nameFieldOf = (factor: string) => `name-${factor}`

/** Of a form that is not valid at all it is not known which factor it was about. */
function besideName(fault: Fault, factor: string | undefined): Fault {
  if (fault.code !== 'invalid_request' || factor === undefined) return fault
  return { ...fault, words: 'Enter a name.', field: nameFieldOf(factor) }
}

const left = (codes: number) =>
  codes === 1 ? '1 code is left' : `${codes === 0 ? 'No' : codes} codes are left`

const recoveredWords = (codes: number) =>
  `You used a recovery code. It won’t work again, and ${left(codes).replace('No', 'no')}. If you no longer have your authenticator app, set it up again now.`

interface Visit {
  readonly now: number
  /** Where the user was going when a code led them here. */
  readonly to: Destination | undefined
  readonly recovered: boolean
  readonly fault: Fault | undefined
}

function page(
  { factors, recoveryCodes, codesLocked, resetDueAt }: FactorList,
  { now, to, recovered, fault }: Visit,
): Page {
  const some = factors.length > 0
  const last = factors.length === 1
  const newApp = some
    ? html`<h2>New phone or app?</h2>
<p>Set up your new authenticator app here. It replaces the one before.</p>`
    : nothing
  const setUp = buttonForm(
    '/second-factors/app',
    `Set up ${some ? 'a new' : 'an'} authenticator app`,
    hidden('return_to', to?.address),
    some && !recovered,
  )
  return {
    title: 'Your second factors',
    lead: some
      ? 'After your password, you confirm with a code from your app.'
      : 'With a second factor, nobody can sign in with your password alone. You also enter a code from an app on your phone.',
    wide: true,
    body: html`${recovered ? setUp : nothing}
${to ? onward(to) : nothing}
${resetDueAt === null ? nothing : removal(resetDueAt)}
${codesLocked ? html`<p class="alert">After too many wrong codes, the codes of your app no longer work. Use a recovery code the next time you sign in or confirm that it’s you: this unlocks your app. If the wrong codes weren’t yours, <a href="/password">change your password</a>.</p>` : nothing}
${some ? html`<ul class="rows">${factors.map(one => row(one, now, last, fault))}</ul>` : nothing}
${some ? codes(recoveryCodes) : nothing}
${recovered ? nothing : html`${newApp}${setUp}`}
<p class="other"><a href="/">Back to your account</a></p>`,
  }
}

const onward = ({ address, application }: Destination) =>
  html`<p><a class="button quiet" href="${address}">Continue${application ? ` to ${application.name}` : ''}</a></p>`

const removal = (dueAt: number) => html`<div class="alert">
<p><strong>Your second factors are about to be removed.</strong> An operator of this service requested it. From ${dayAndTime(dueAt)}, your next sign-in removes them. If you didn’t ask for this, stop it now.</p>
${buttonForm('/second-factors/stop-removal', 'Stop the removal')}
</div>`

function row(
  { id, name, createdAt, lastUsedAt, lastUsedAddress }: Factor,
  now: number,
  last: boolean,
  fault: Fault | undefined,
) {
  const address = lastUsedAddress === null ? '' : ` from ${lastUsedAddress}`
  const used = lastUsedAt === null ? 'Not used yet' : `Last used ${ago(now - lastUsedAt)}${address}`
  const nameField = nameFieldOf(id)
  const naming = field(
    {
      name: 'name',
      id: nameField,
      label: 'Name',
      type: 'text',
      autocomplete: 'off',
      value: name,
      maxLength: 100,
    },
    fault,
  )
  const follows = last
    ? 'This is your last second factor. Without it, your password alone signs you in, and your recovery codes stop working.'
    : 'You can no longer sign in with it.'
  return html`<li><div class="grow"><strong>${name}</strong>
<p class="hint">Authenticator app, added on ${day(createdAt)}</p>
<p class="hint">${used}</p>
<details${fault?.field === nameField ? html` open` : nothing}><summary>Rename<span class="unseen"> ${name}</span></summary>
<form method="post" action="/second-factors/rename">${hidden('factor', id)}${naming}<button class="quiet">Save</button></form></details>
<details><summary>Remove<span class="unseen"> ${name}</span></summary>
<p>${follows}</p>
${buttonForm('/second-factors/remove', html`Remove ${name}`, hidden('factor', id))}</details></div></li>`
}

function codes(unused: number): Html {
  const few =
    unused > fewRecoveryCodes
      ? nothing
      : html`<p class="alert">Your recovery codes are running out. Create new ones, so that you can still sign in if you lose your app.</p>`
  return html`<h2>Recovery codes</h2>
${few}
<p>${left(unused)}. Each signs you in once, if you don’t have your app. New codes replace all earlier ones.</p>
${buttonForm('/second-factors/recovery-codes', 'Create new codes')}`
}
