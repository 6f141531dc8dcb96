/** Setting up an authenticator app: its secret as a QR code and as text, and the code that confirms it. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { encodeQR } from 'qr'
import { type Html, html } from '../../core/html.js'
import type { FactorHandlers } from '../handlers/factors.js'
import { TotpCode } from '../shapes/codes.js'
import { besideCode, codeField, withoutSpaces } from './code-fields.js'
import { type Destination, type Frame, leading, ReturnTo, stepUpFor } from './frame.js'
import { buttonForm, type Fault, hidden, type Page } from './layout.js'
import { owesStepUp } from './second-factors.js'
import { recoveryCodesPage } from './shown-codes.js'

const here = '/second-factors/app'

export function authenticatorAppPages(app: FastifyInstance, frame: Frame, acts: FactorHandlers): void {
  frame.get(app, here, request => setUp(request))
  frame.post(app, here, {
    fields: { return_to: ReturnTo },
    async work(request) {
      if (owesStepUp(request, await acts.list(request))) return stepUpFor(here)
      await acts.beginTotp(request)
      return leading(here, (await frame.destination(request))?.address)
    },
    again: (fault, request) => setUp(request, fault),
  })
  frame.post(app, `${here}/confirm`, {
    fields: { code: TotpCode, return_to: ReturnTo },
    async work(request, _reply, form) {
      if (owesStepUp(request, await acts.list(request))) return stepUpFor(here)
      const codes = await acts.confirmTotp(request, withoutSpaces(form).code)
      const to = await frame.destination(request)
      if (codes.length === 0) return leading('/second-factors?done=replaced', to?.address)
      return recoveryCodesPage(codes, to, 'Your authenticator app is set up.')
    },
    again: (fault, request) => setUp(request, fault),
  })

  /** Only a session that may begin sees the secret: with an older or weaker authentication it is not shown either. */
  async function setUp(request: FastifyRequest, fault?: Fault): Promise<string | Page> {
    const [factors, to] = await Promise.all([acts.list(request), frame.destination(request)])
    if (owesStepUp(request, factors)) return stepUpFor(here)
    const begun = await acts.unconfirmedTotp(request)
    const replaces = factors.factors.length > 0
    return begun ? scan(begun, to, replaces, fault) : start(to, replaces, fault)
  }
}

const title = 'Set up an authenticator app'
const replacesWords = 'It replaces the app that you use now, once you have confirmed it.'

function start(to: Destination | undefined, replaces: boolean, fault: Fault | undefined): Page {
  const over =
    'There is nothing to confirm: this app is set up already, or the setup took longer than 15 minutes.'
  return {
    title,
    lead: replaces ? replacesWords : 'You need an app on your phone that shows codes for signing in.',
    fault: fault?.code === 'not_found' ? { ...fault, words: over } : fault,
    body: html`${buttonForm(here, 'Start', hidden('return_to', to?.address), false)}
${back}`,
  }
}

interface Begun {
  readonly secret: string
  readonly address: string
}

function scan(
  { secret, address }: Begun,
  to: Destination | undefined,
  replaces: boolean,
  fault: Fault | undefined,
): Page {
  return {
    title,
    ...(replaces && { lead: replacesWords }),
    fault: besideCode('code', fault),
    body: html`<h2>1. Add this service to your app</h2>
<p>Scan this QR code with your authenticator app.</p>
${qrCode(address)}
<p>Can’t scan it? Enter this key in the app:</p>
<p><code class="secret">${secret.match(/.{1,4}/g)?.join(' ') ?? secret}</code></p>
<p>Is the app on this device? <a href="${address}">Open the app</a></p>
<h2>2. Enter the code that the app shows</h2>
<form method="post" action="${here}/confirm">
${hidden('return_to', to?.address)}
${codeField('code', fault, false)}
<button>Confirm</button>
</form>
${back}`,
  }
}

const back = html`<p class="other"><a href="/second-factors">Cancel</a></p>`

/** Dark on white whatever the colours of the page: not every app reads it the other way round. */
function qrCode(text: string): Html {
  const modules = encodeQR(text, 'raw', { border: 4 })
  const size = String(modules.length)
  const path = modules
    .flatMap((line, y) => line.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')))
    .join('')
  return html`<svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label="QR code for your authenticator app" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}h-${size}z"/><path fill="#000" d="${path}"/></svg>`
}
