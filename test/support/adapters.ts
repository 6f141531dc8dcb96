/** The adapters of the verifier, each on a real server as its README shows it, and what their routes ask for. */
import { createServer, type RequestListener, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import type { Test } from 'tap'
import * as forExpress from '../../packages/verifier/src/express.js'
import * as forFastify from '../../packages/verifier/src/fastify.js'
import * as forFetch from '../../packages/verifier/src/fetch.js'
import {
  type Gate,
  type Principal,
  requirePermission,
  requireStepUp,
  requireTenant,
} from '../../packages/verifier/src/index.js'
import * as forNode from '../../packages/verifier/src/node.js'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}
interface Asked {
  readonly path?: string
  readonly method?: string
  /** One header of this name for each. */
  readonly authorization?: readonly string[]
  readonly form?: string
}
export type Server = (asked: Asked) => Promise<Answer>

/**
 * `/` tells who calls, `/write` wants a permission, `/tenants/acme` a tenant, `/sudo` a fresh and strong proof, `/fresh`
 * one of any strength, `/recent` one of any strength and age.
 */
const requirements = {
  '/': [],
  '/write': [requirePermission('doc:write')],
  '/tenants/acme': [requireTenant('acme')],
  '/sudo': [requireStepUp({ acr: 'aal2', maxAge: 300 })],
  '/fresh': [requireStepUp({ maxAge: 900 })],
  '/recent': [requireStepUp({ maxAge: Number.MAX_SAFE_INTEGER })],
} as const

async function listening(t: Test, listener: RequestListener): Promise<Server> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return ({ path = '/', method = 'GET', authorization = [], form }) =>
    new Promise((resolve, reject) => {
      const headers = authorization.flatMap(value => ['Authorization', value])
      if (form !== undefined) headers.push('Content-Type', 'application/x-www-form-urlencoded')
      headers.push('Connection', 'close', 'Host', 'localhost')
      const request = send({ host: '127.0.0.1', port, path, method, headers }, response => {
        let body = ''
        response.setEncoding('utf8').on('data', text => {
          body += text
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        )
      })
      request.on('error', reject).end(form)
    })
}

export const adapters: Readonly<Record<string, (t: Test, gate: Gate) => Promise<Server>>> = {
  async fastify(t, gate) {
    const app = fastify()
    const { protectedRoutes, requires } = forFastify
    app.get('/open', async () => 'open')
    app.register(
      protectedRoutes(gate, async api => {
        api.addContentTypeParser('application/x-www-form-urlencoded', (_request, _payload, done) =>
          done(null),
        )
        for (const [path, needed] of Object.entries(requirements))
          api.route({
            method: ['GET', 'POST'],
            url: path,
            onRequest: requires(gate, ...needed),
            handler: async request => request.principal,
          })
      }),
    )
    await app.ready()
    t.teardown(() => app.close())
    t.equal((await app.inject('/open')).body, 'open', 'outside of the context nobody is asked for a token')
    return listening(t, (request, response) => app.routing(request, response))
  },
  async express(t, gate) {
    const app = express()
    app.use(forExpress.protect(gate))
    app.use(express.urlencoded({ extended: false }))
    for (const [path, needed] of Object.entries(requirements))
      app.all(path, forExpress.requires(gate, ...needed), (request, response) => {
        const principal: Principal = request.principal
        response.json(principal)
      })
    return listening(t, app)
  },
  async node(t, gate) {
    const handlers = Object.fromEntries(
      Object.entries(requirements).map(([path, needed]) => [
        path,
        forNode.protect(
          gate,
          (_request, response, principal) => response.end(JSON.stringify(principal)),
          ...needed,
        ),
      ]),
    )
    return listening(t, (request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost')
      void handlers[pathname]?.(request, response)
    })
  },
  async fetch(_t, gate) {
    return overFetch(async request => {
      const needed = requirements[new URL(request.url).pathname as keyof typeof requirements]
      const handler = (_: Request, principal: Principal) => Response.json(principal)
      return forFetch.protect(gate, handler, ...needed)(request)
    })
  },
  async hono(_t, gate) {
    const app = new Hono<{ Variables: { principal: Principal } }>()
    for (const [path, needed] of Object.entries(requirements)) {
      app.use(path, async (context, next) => {
        const answer = await forFetch.authenticate(gate, context.req.raw, ...needed)
        if (!answer.ok) return answer.response
        context.set('principal', answer.principal)
        return next()
      })
      app.all(path, context => context.json(context.get('principal')))
    }
    return overFetch(async request => app.fetch(request))
  },
}

function overFetch(handler: (request: Request) => Promise<Response>): Server {
  return async ({ path = '/', method = 'GET', authorization = [], form }) => {
    const headers = new Headers()
    for (const value of authorization) headers.append('authorization', value)
    const body = form === undefined ? {} : { body: new URLSearchParams(form) }
    const response = await handler(
      new Request(`https://api.example.com${path}`, { method, headers, ...body }),
    )
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    }
  }
}

export const bearer = (token: string) => [`Bearer ${token}`]
