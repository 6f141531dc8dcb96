/** Proving oneself again: by a second factor where the account has one, else by the password or a provider. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { type Html, html } from '../../core/html.js'
import type { OfferedProvider } from '../../federation/store.js'
import type { AccountHandlers } from '../handlers/account.js'
import type { FactorHandlers } from '../handlers/factors.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { signedIn } from '../middleware/signed-in.js'
import { codeMembers, proofIn } from '../shapes/codes.js'
import { Password } from '../shapes/schemas.js'
import {
  type Asked,
  afterFault,
  afterRecoveryCode,
  askedFor,
  besideCode,
  codeField,
  withoutSpaces,
} from './code-fields.js'
import { goingOn, ProviderId } from './federation.js'
import { beside, type Destination, type Frame, leading, parameter, ReturnTo } from './frame.js'
import {
  buttonForm,
  currentPasswordField,
  type Fault,
  hidden,
  nothing,
  type Page,
  usernameOf,
} from './layout.js'

interface Handlers {
  readonly acts: AccountHandlers
  readonly ways: FederationHandlers
  readonly factors: FactorHandlers
}

/** In the context of who is signed in. */
export function stepUpPages(app: FastifyInstance, frame: Frame, { acts, ways, factors }: Handlers): void {
  frame.get(app, '/step-up', request => stepUp(request, askedFor(parameter(request, 'with'))))
  frame.post(app, '/step-up', {
    fields: { password: Type.Optional(Password), ...codeMembers, return_to: ReturnTo },
    async work(request, reply, form) {
      const proof = proofIn(withoutSpaces(form))
      await acts.stepUp(request, reply, proof)
      const to = await frame.destination(request)
      return to?.address ?? ('recoveryCode' in proof ? afterRecoveryCode(to) : '/')
    },
    again: (fault, request, form) =>
      stepUp(request, form.recovery_code === undefined ? 'code' : 'recovery_code', fault),
  })
  frame.post(app, '/step-up/provider', {
    fields: { provider: ProviderId, return_to: ReturnTo },
    async work(request, reply, { provider }) {
      const to = await frame.destination(request)
      return goingOn(ways, request, reply, { provider, purpose: 'step-up', returnTo: to?.address })
    },
    again: (fault, request) => stepUp(request, 'code', fault),
  })

  async function stepUp(request: FastifyRequest, wanted: Asked, wrong?: Fault): Promise<Page> {
    const { email } = signedIn(request).live.profile
    const [to, proofs] = await Promise.all([frame.destination(request), waysToProve(request)])
    const { asked, fault } = afterFault(proofs.recoveryCodes ? wanted : 'code', wrong, proofs.recoveryCodes)
    return page(to, email, proofs, asked, fault)
  }

  /** What this user has, and what of it is enough: where there is a second factor, nothing less. */
  async function waysToProve(request: FastifyRequest): Promise<WaysToProve> {
    const [{ linked, password }, offered, list] = await Promise.all([
      ways.waysOf(request),
      ways.offered(),
      factors.list(request),
    ])
    const factor = list.factors.length > 0
    const providers = offered.filter(
      ({ id, countsAsProof, reachesAal2 }) =>
        (factor ? reachesAal2 : countsAsProof) && linked.some(({ provider }) => provider === id),
    )
    return {
      factor,
      recoveryCodes: factor && list.recoveryCodes > 0,
      password: password && !factor,
      providers,
    }
  }
}

interface WaysToProve {
  readonly factor: boolean
  readonly recoveryCodes: boolean
  readonly password: boolean
  readonly providers: readonly OfferedProvider[]
}

function page(
  to: Destination | undefined,
  email: string,
  { factor, recoveryCodes, password, providers }: WaysToProve,
  asked: Asked,
  fault: Fault | undefined,
): Page {
  const wrong = factor ? besideCode(asked, fault) : beside(fault, { wrong_password: 'password' })
  const back = hidden('return_to', to?.address)
  const byProvider = providers.map(({ id, name }) =>
    buttonForm(
      '/step-up/provider',
      `Confirm with ${name}`,
      html`${back}${hidden('provider', id)}`,
      password || factor,
    ),
  )
  return {
    title: 'Confirm that it’s you',
    lead: leadOf(email, { factor, password }, asked),
    fault: wrong,
    returnTo: to?.application?.origin,
    body: html`${
      factor
        ? byCode(to, asked, recoveryCodes, fault)
        : password
          ? byPassword(back, email, wrong)
          : providers.length === 0
            ? noWay
            : nothing
    }
${byProvider}
${to ? nothing : html`<p class="other"><a href="/">Not now</a></p>`}`,
  }
}

function leadOf(email: string, { factor, password }: Pick<WaysToProve, 'factor' | 'password'>, asked: Asked) {
  const account = html`<strong>${email}</strong>`
  if (factor && asked === 'recovery_code') return html`Enter a recovery code of ${account} to continue.`
  if (factor) return html`Enter the code from your authenticator app for ${account} to continue.`
  return password
    ? html`Enter the password of ${account} again to continue.`
    : html`You are signed in as ${account}. Sign in again with one of these to continue.`
}

const byPassword = (
  back: Html,
  email: string,
  fault: Fault | undefined,
) => html`<form method="post" action="/step-up">
${back}
${usernameOf(email)}
${currentPasswordField(fault, true)}
<button>Confirm</button>
</form>`

function byCode(
  to: Destination | undefined,
  asked: Asked,
  recoveryCodes: boolean,
  fault: Fault | undefined,
): Html {
  const other =
    asked === 'recovery_code'
      ? html`<a href="${leading('/step-up', to?.address)}">Use a code from your app</a>`
      : html`Don’t have your app? <a href="${leading('/step-up?with=recovery_code', to?.address)}">Use a recovery code</a>`
  return html`<form method="post" action="/step-up">
${hidden('return_to', to?.address)}
${codeField(asked, fault)}
<button>Confirm</button>
</form>
${recoveryCodes ? html`<p class="other">${other}</p>` : nothing}`
}

const noWay = html`<p>You have no password here, and your sign-in method can’t be used to confirm that it’s you.</p>
<p><a class="button" href="/password/forgot">Set a password by email</a></p>`
