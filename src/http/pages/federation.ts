/** Going to a provider and coming back from it. The callback is the one navigation from elsewhere that changes something. */
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Completed } from '../../accounts/federated-sign-in.js'
import { type Html, html } from '../../core/html.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { Problem } from '../middleware/problem.js'
import { forAnyone, pageProblems } from '../shapes/schemas.js'
import { type Frame, secondStepFor, signInFor } from './frame.js'
import { type Fault, type Look, nothing, type Page } from './layout.js'
import { answerPage } from './refused.js'

export const ProviderId = Type.String({ maxLength: 32, description: 'The provider’s id.' })
const provider = Type.Object({ provider: ProviderId })
/** What a provider may put in; which of it counts is looked at behind it. */
const anything = Type.Object({}, { additionalProperties: true })

const beginSchema = {
  operationId: 'beginFederation',
  tags: ['federation'],
  ...forAnyone,
  summary: 'Redirect to a provider to sign in there; navigate to this address, do not fetch it',
  params: provider,
  querystring: Type.Object(
    {
      return_to: Type.Optional(
        Type.String({
          description: 'A registered return address of an application, or a page of the issuer.',
        }),
      ),
    },
    { additionalProperties: true },
  ),
  response: {
    303: Type.Null({
      description: 'Redirects to the provider, with `state`, `nonce` and the S256 challenge of PKCE.',
    }),
    ...pageProblems(
      'not_found',
      'provider_unavailable',
      'too_many_requests',
      'insecure_transport',
      'unavailable',
    ),
  },
}

const callbackSchema = {
  operationId: 'completeFederation',
  tags: ['federation'],
  ...forAnyone,
  summary: 'Complete a sign-in at a provider; its redirect URI',
  params: provider,
  querystring: anything,
  response: {
    303: Type.Null({
      description: 'Signed in, linked or stepped up; `Set-Cookie` contains the session cookie.',
    }),
    ...pageProblems(
      'federation_failed',
      'address_unverified',
      'sign_up_closed',
      'account_exists',
      'identity_taken',
      'provider_unavailable',
      'busy',
      'insecure_transport',
      'not_confirmed',
      'unavailable',
    ),
  },
}

export function federationPages(app: FastifyInstance, frame: Frame, acts: FederationHandlers): void {
  frame.get(app, '/v1/federation/:provider', (request, reply) => begin(request, reply), {
    schema: beginSchema,
  })
  frame.get(
    app,
    '/v1/federation/:provider/callback',
    (request, reply) => complete(request, reply),
    // Every other GET answers a HEAD as well. Here who only looks must not use the answer up, nor be signed in.
    { schema: callbackSchema, exposeHeadRoute: false },
  )

  async function begin(request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const to = await frame.destination(request)
    const wanted = { provider: providerOf(request), purpose: 'sign-in', returnTo: to?.address } as const
    return (await acts.begin(request, reply, wanted)).address
  }

  async function complete(request: FastifyRequest, reply: FastifyReply): Promise<string | Page> {
    const completed = await acts.complete(request, reply, providerOf(request))
    const { problem, returnTo, purpose, outcome } = completed
    if (problem) return refusedPage(completed, frame.faulty(request, reply, problem))
    // It is looked at again: what an application may have taken back since is not gone to.
    const to = (await frame.destinationOf(returnTo, request))?.address
    if ('pending' in outcome) return secondStepFor(to)
    return to ?? (purpose === 'link' ? '/sign-in-methods?done=linked' : '/')
  }
}

/** A provider that answers by a form comes without the cookie that binds its answer: it is looked at no further. */
export function formAnswerRoute(look: Look): FastifyPluginAsync {
  const problem = new Problem('federation_failed', {
    detail: 'The provider answered with a form post. It must answer with a redirect (response_mode=query).',
  })
  const schema = { hide: true, consumes: ['application/x-www-form-urlencoded'] }
  return async app => {
    app.removeAllContentTypeParsers()
    await app.register(formbody)
    app.post('/v1/federation/:provider/callback', { schema }, (request, reply) =>
      answerPage(look, problem, request, reply),
    )
  }
}

const providerOf = (request: FastifyRequest) => (request.params as { provider: string }).provider

/** A form that led to a provider would be stopped by `form-action`: a page leads there instead. */
export async function goingOn(
  acts: FederationHandlers,
  request: FastifyRequest,
  reply: FastifyReply,
  wanted: Parameters<FederationHandlers['begin']>[2],
): Promise<Page> {
  const { address, providerName: name } = await acts.begin(request, reply, wanted)
  return {
    title: `On to ${name}`,
    goOn: address,
    body: html`<p><a class="button" href="${address}">Continue to ${name}</a></p>`,
  }
}

/** The buttons of a page that asks who somebody is. */
export function providerButtons(
  offered: readonly { readonly id: string; readonly name: string }[],
  returnTo: string | undefined,
): Html {
  if (offered.length === 0) return nothing
  const more = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`
  const buttons = offered.map(
    ({ id, name }) =>
      html`<li><a class="button quiet" href="/v1/federation/${id}${more}">Continue with ${name}</a></li>`,
  )
  return html`<p class="or"><span>or</span></p>
<ul class="ways">${buttons}</ul>`
}

function refusedPage({ providerName, purpose, returnTo }: Completed, fault: Fault): Page {
  const again = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`
  if (fault.code === 'busy')
    return {
      title: 'Something went wrong',
      fault,
      body: html`<p><a class="button" href="">Try again</a></p>`,
    }
  if (purpose === 'link')
    return {
      title: 'Something went wrong',
      fault,
      body: html`<p><a class="button" href="/sign-in-methods">Back to your sign-in methods</a></p>`,
    }
  if (purpose === 'step-up')
    return {
      title: 'Something went wrong',
      fault,
      body: html`<p><a class="button" href="/step-up${again}">Confirm that it’s you</a></p>`,
    }
  const link = html`<p><a class="button" href="${signInFor('/sign-in-methods')}">Sign in and link ${providerName}</a></p>`
  if (fault.code === 'account_exists')
    return {
      title: 'You already have an account',
      lead: html`An account with the email address from ${providerName} already exists. Sign in to it the way you did before. You can then link ${providerName}.`,
      fault,
      body: link,
    }
  if (fault.code === 'address_unverified' || fault.code === 'sign_up_closed')
    return {
      title: `${providerName} can’t sign you in yet`,
      fault: { ...fault, words: wordsFor(providerName)[fault.code] },
      body: html`<p>Already have an account here? Sign in the way you did before. You can then link ${providerName}.</p>
${link}
<p class="other"><a href="/sign-in${again}">Back to sign-in</a></p>`,
    }
  return {
    title: 'You are not signed in',
    fault,
    body: html`<p><a class="button" href="/sign-in${again}">Back to sign-in</a></p>`,
  }
}

const wordsFor = (name: string) => ({
  address_unverified: `${name} has not verified your email address.`,
  sign_up_closed: `You don’t have an account here, and you can’t create one with ${name}.`,
})
