/** A refusal in a user's words: beside the form that they sent, or as a page of its own. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { html } from '../../core/html.js'
import { catalogue } from '../middleware/problem.js'
import { type Refusal, refuse } from '../middleware/problems.js'
import { document, type Fault, type Look } from './layout.js'

/** For a browser that has navigated, and has no page to go back to. */
export function answerPage(
  look: Look,
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const page = document(look, {
    title: 'Something went wrong',
    fault: faultOf(refuse(error, request, reply)),
    body: html`<p><a href="/">Start again</a></p>`,
  })
  return reply.type('text/html; charset=utf-8').send(page.toString())
}

export function faultOf({ code, detail, retryAfter }: Refusal): Fault {
  if (code === 'invalid_request')
    return { code, words: 'Please check the form: one of the fields isn’t valid.' }
  if (code === 'too_many_requests')
    return { code, words: `Too many attempts. Try again ${inWords(retryAfter ?? 60)}.` }
  if (code === 'not_found')
    return { code, words: 'Nothing was found: the address is wrong, or the entry was removed.' }
  if (code === 'wrong_origin')
    return { code, words: 'This form was sent from another page. Open this page again and retry.' }
  if (code === 'unavailable')
    return { code, words: 'The service is temporarily unavailable. Nothing was changed. Try again shortly.' }
  if (code === 'session_superseded')
    return { code, words: 'Your session was updated in another tab. Please try again.' }
  return { code, words: detail ?? catalogue[code][1] }
}

function inWords(seconds: number): string {
  const minutes = Math.ceil(seconds / 60)
  return minutes === 1 ? 'in a minute' : `in ${minutes} minutes`
}
