/** Requests over kept connections, as a browser or curl sends them; an answer, or an error when there is none. */
import { Agent, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly body: unknown
  /** The value of a session cookie that was set; an empty one was cleared. */
  readonly cookie: string | undefined
}

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  /** Instead of a body: a form of our own pages. */
  readonly form?: Readonly<Record<string, string>>
  readonly cookie?: string | undefined
  /** The secret of a pending sign-in, in its cookie. */
  readonly pending?: string
  /** A service key. */
  readonly bearer?: string
  /** The network address that the trusted proxy names. */
  readonly address?: string
}

/** Milliseconds after which a client no longer waits: longer than every deadline of the service. */
const patience = 9000

export class Http {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256, noDelay: true })

  ask(port: number, ask: Ask): Promise<Answer> {
    const { method, path, form, cookie, pending, bearer, address = '192.0.2.1' } = ask
    const payload = payloadOf(ask)
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          agent: this.#agent,
          timeout: patience,
          headers: {
            ...(form ? { origin: 'http://localhost:4000' } : { 'x-mintmark': '1' }),
            'x-forwarded-for': address,
            ...(cookie !== undefined && { cookie: `__Host-session=${cookie}` }),
            ...(pending !== undefined && { cookie: `__Host-pending=${pending}` }),
            ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
            ...(payload !== undefined && {
              'content-type': form ? 'application/x-www-form-urlencoded' : 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
          },
        },
        answer => {
          let text = ''
          answer.setEncoding('utf8').on('data', part => {
            text += part
          })
          answer.on('error', reject).on('aborted', () => reject(new Error('the answer was cut')))
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              body: json(text),
              cookie: sessionCookie(answer.headers['set-cookie']),
            }),
          )
        },
      )
      asked.on('timeout', () => asked.destroy(new Error('no answer'))).on('error', reject)
      asked.end(payload)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

function payloadOf({ body, form }: Ask): string | undefined {
  if (form) return new URLSearchParams(form).toString()
  return body === undefined ? undefined : JSON.stringify(body)
}

function json(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function sessionCookie(lines: string[] | undefined): string | undefined {
  for (const line of lines ?? []) {
    const value = /^__Host-session=([^;]*)/.exec(line)?.[1]
    if (value !== undefined) return value
  }
  return undefined
}
