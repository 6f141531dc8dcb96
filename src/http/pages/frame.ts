/** What every hosted page passes through: who may send its forms, what a refusal looks like, where it leads on. */
import formbody from '@fastify/formbody'
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RouteShorthandOptions,
} from 'fastify'
import { type Static, Type } from 'typebox'
import { Throttled } from '../../accounts/throttle.js'
import type { Live, Sessions } from '../../sessions/sessions.js'
import type { OriginRegistry } from '../../tenants/origins.js'
import { Problem } from '../middleware/problem.js'
import { refuse } from '../middleware/problems.js'
import { guardForms } from '../middleware/same-origin.js'
import { contentSecurityPolicy } from '../middleware/security-headers.js'
import {
  recordSession,
  sessionConfirmation,
  sessionGuard,
  visitorOf,
  type Watch,
} from '../middleware/signed-in.js'
import { Body } from '../shapes/schemas.js'
import { document, type Fault, type Look, type Page } from './layout.js'
import { answerPage, faultOf } from './refused.js'

export interface FrameParts extends Look {
  readonly issuer: string
  readonly registry: OriginRegistry
  readonly sessions: Sessions
  readonly watch: Watch
}

/** Where a page leads on to: another page of ours, or an address that an application has registered. */
export interface Destination {
  readonly address: string
  readonly application?: { readonly name: string; readonly origin: string }
}

/** Our own pages that sign-in and step-up may lead on to. */
const ownPages = new Set([
  ...['/', '/devices', '/password', '/invitations/accept', '/sign-in-methods'],
  ...['/second-factors', '/second-factors/app'],
])

type Members = Parameters<typeof Body>[0]
type Form<M extends Members> = Static<ReturnType<typeof Body<M>>>

/** A place: where to go on to. A page: what is shown. */
type Shown = string | Page | Promise<string | Page>

interface FormOf<M extends Members> {
  readonly fields: M
  /** Does it and says where to go on to. */
  work(request: FastifyRequest, reply: FastifyReply, form: Form<M>): Shown
  /** The page with what is wrong. */
  again(fault: Fault, request: FastifyRequest, form: Form<M>): Shown
}

export type Frame = ReturnType<typeof createFrame>

export function createFrame(parts: FrameParts) {
  const { issuer, registry, sessions, watch } = parts
  const guard = sessionGuard(sessions, watch)
  const confirm = sessionConfirmation(sessions, watch)

  /** Letter by letter: what is not registered is not looked at any further. */
  async function destinationOf(wanted: unknown, request: FastifyRequest): Promise<Destination | undefined> {
    if (typeof wanted !== 'string' || wanted === '') return undefined
    if (ownPages.has(wanted)) return { address: wanted }
    const origin = URL.canParse(wanted) ? new URL(wanted).origin : undefined
    const owner = origin === undefined ? undefined : await registry.ownerOf(origin)
    if (origin !== undefined && owner?.returnAddresses.includes(wanted))
      return { address: wanted, application: { name: owner.name, origin } }
    request.log.info({ refused: 'not a registered address' }, 'return address rejected')
    return undefined
  }

  /** Where the page or its form leads on to, as its `return_to` says. Of a malformed form nothing counts. */
  async function destination(request: FastifyRequest): Promise<Destination | undefined> {
    const { method, query, body, validationError } = request
    const said = method === 'POST' ? !validationError && body : query
    return destinationOf(said ? (said as { return_to?: unknown }).return_to : undefined, request)
  }

  async function show(reply: FastifyReply, shown: Shown): Promise<FastifyReply> {
    const page = await shown
    if (typeof page === 'string') return reply.redirect(page, 303)
    if (page.returnTo !== undefined)
      reply.header('content-security-policy', contentSecurityPolicy(`'self' ${page.returnTo}`))
    return reply.type('text/html; charset=utf-8').send(document(parts, page).toString())
  }

  return {
    destinationOf,
    destination,
    after: async (request: FastifyRequest, otherwise: string) =>
      (await destination(request))?.address ?? otherwise,

    /** For a plugin of pages: forms and nothing else come in, and refusals go out as pages. */
    async enter(app: FastifyInstance): Promise<void> {
      guardForms(app, issuer)
      app.removeAllContentTypeParsers()
      await app.register(formbody)
      app.setErrorHandler<FastifyError | Error>((error, request, reply) => {
        if (error instanceof Throttled) watch.metrics.throttled(error.limit)
        return answerPage(parts, error, request, reply)
      })
    },

    get(
      app: FastifyInstance,
      url: string,
      page: (request: FastifyRequest, reply: FastifyReply) => Shown,
      options: Pick<RouteShorthandOptions, 'schema' | 'exposeHeadRoute'> = { schema: { hide: true } },
    ): void {
      app.get(url, options, async (request, reply) => show(reply, page(request, reply)))
    },

    /** What is wrong, for a page that says it itself; the status is the catalogue's. */
    faulty(request: FastifyRequest, reply: FastifyReply, problem: Problem): Fault {
      return faultOf(refuse(problem, request, reply))
    },

    post<M extends Members>(app: FastifyInstance, url: string, { fields, work, again }: FormOf<M>): void {
      const schema = { hide: true, consumes: ['application/x-www-form-urlencoded'], body: Body(fields) }
      app.post(url, { schema, attachValidation: true }, async (request, reply) => {
        const form = request.body as Form<M>
        try {
          if (request.validationError) throw request.validationError
          return await show(reply, await work(request, reply, form))
        } catch (error) {
          // With a detail it says something else than that nobody is signed in here.
          if (error instanceof Problem && error.code === 'unauthenticated' && error.detail === undefined)
            return reply.redirect('/sign-in', 303)
          if (error instanceof Throttled) watch.metrics.throttled(error.limit)
          const fault = faultOf(refuse(error as Error, request, reply))
          const known = request.validationError ? ({} as Form<M>) : form
          return show(reply, again(fault, request, known))
        }
      })
    },

    /** Who is signed in with this browser, on a page that is for anyone. */
    async visitor(request: FastifyRequest): Promise<Live | undefined> {
      const visitor = await visitorOf(request, sessions)
      if (visitor) recordSession(request, visitor, confirm)
      return visitor?.live
    },

    /** For a context of pages: anybody who is not signed in signs in first. */
    requireVisitor(app: FastifyInstance): void {
      app.addHook('onRequest', async (request, reply) => {
        try {
          await guard(request)
        } catch (error) {
          if (!(error instanceof Problem)) throw error
          const { url = '/' } = request.routeOptions
          return reply.redirect(ownPages.has(url) && url !== '/' ? signInFor(url) : '/sign-in', 303)
        }
      })
    },
  }
}

/** Puts what is wrong beside the field that it is about, by its code. */
export function beside(
  fault: Fault | undefined,
  fields: Readonly<Record<string, string>>,
): Fault | undefined {
  return fault && { ...fault, field: fields[fault.code] }
}

export const signInFor = (address: string) => `/sign-in?return_to=${encodeURIComponent(address)}`
export const secondStepFor = (address: string | undefined) => leading('/second-step', address)
export const stepUpFor = (address: string) => `/step-up?return_to=${encodeURIComponent(address)}`

/** A page of ours that says, or carries on, where it leads to. */
export function leading(page: string, address: string | undefined): string {
  if (address === undefined) return page
  return `${page}${page.includes('?') ? '&' : '?'}return_to=${encodeURIComponent(address)}`
}

/** The parameter of an address, of which a browser may send any. */
export function parameter(request: FastifyRequest, name: string): unknown {
  return (request.query as Record<string, unknown>)[name]
}

/** Every form that leads on carries it. */
export const ReturnTo = Type.Optional(Type.String({ maxLength: 2000 }))
