/** The hosted pages: what a user does here in a browser, and the files that make them look like it. */
import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsync } from 'fastify'
import type { AccountHandlers } from '../handlers/account.js'
import type { FactorHandlers } from '../handlers/factors.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { userOf } from '../middleware/signed-in.js'
import type { Turns } from '../middleware/turns.js'
import { type AccountParts, accountPages } from './account.js'
import { authenticatorAppPages } from './authenticator-app.js'
import { federationPages } from './federation.js'
import { createFrame, type FrameParts } from './frame.js'
import { invitationPages } from './invitation.js'
import { mailedLinkPages } from './mailed-links.js'
import { secondFactorPages } from './second-factors.js'
import { secondStepPages } from './second-step.js'
import { signInPages } from './sign-in.js'
import { signInMethodPages } from './sign-in-methods.js'
import { stepUpPages } from './step-up.js'

const publicFolder = new URL('../../../public/', import.meta.url)

export interface PageParts extends FrameParts, AccountParts {
  readonly acts: AccountHandlers
  readonly ways: FederationHandlers
  readonly factors: FactorHandlers
  readonly takeTurns: Turns
}

/** Forms take the cookie only from these pages themselves; opening one changes nothing. */
export function pages(parts: PageParts): FastifyPluginAsync {
  const { acts, ways, factors, theme, passwordMinLength } = parts
  const frame = createFrame(parts)
  return async app => {
    await frame.enter(app)
    await app.register(assets(theme))
    signInPages(app, frame, acts, ways)
    secondStepPages(app, frame, factors)
    federationPages(app, frame, ways)
    mailedLinkPages(app, frame, acts, passwordMinLength)
    invitationPages(app, frame, acts, passwordMinLength)
    await app.register(async app => {
      frame.requireVisitor(app)
      parts.takeTurns(app, userOf)
      accountPages(app, frame, acts, parts)
      signInMethodPages(app, frame, ways, factors)
      secondFactorPages(app, frame, factors)
      authenticatorAppPages(app, frame, factors)
      stepUpPages(app, frame, { acts, ways, factors })
    })
  }
}

function assets({ css, logo }: FrameParts['theme']): FastifyPluginAsync {
  return async app => {
    const offer = (name: string, type: string, body: string | Buffer) =>
      app.get(`/assets/${name}`, { schema: { hide: true } }, async (_request, reply) =>
        reply.type(type).header('cache-control', 'public, max-age=300').send(body),
      )
    const own = (name: string) => readFile(new URL(name, publicFolder), 'utf8')
    offer('page.js', 'text/javascript; charset=utf-8', await own('page.js'))
    offer('style.css', 'text/css; charset=utf-8', await own('style.css'))
    offer('icon.svg', 'image/svg+xml', await own('icon.svg'))
    if (css !== undefined) offer('theme.css', 'text/css; charset=utf-8', css)
    if (logo) offer('logo', logo.type, logo.bytes)
  }
}
