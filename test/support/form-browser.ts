/** A browser without scripts for other people's sign-in pages: it keeps cookies, follows redirects, fills in a form. */

export interface Page {
  readonly url: URL
  readonly status: number
  readonly html: string
}
/** Where it arrived, or the address of the client's that it was sent to, which it does not open. */
export type Arrival = { readonly page: Page } | { readonly callback: URL }

export class FormBrowser {
  readonly #stop: string
  /** By origin: providers on one host are apart here, as they are in life. */
  readonly #jars = new Map<string, Map<string, string>>()

  /** It stops before addresses that begin like this. */
  constructor(stop: string) {
    this.#stop = stop
  }

  async open(url: string | URL, body?: URLSearchParams): Promise<Arrival> {
    let next = new URL(url)
    let form = body
    for (let hops = 0; hops < 20; hops++) {
      if (next.href.startsWith(this.#stop)) return { callback: next }
      const cookie = [...this.#jar(next)].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await fetch(next, {
        method: form ? 'POST' : 'GET',
        redirect: 'manual',
        headers: { cookie, accept: 'text/html' },
        ...(form && { body: form }),
      })
      this.#keep(next, answer.headers.getSetCookie())
      const location = answer.headers.get('location')
      if (location === null) return { page: { url: next, status: answer.status, html: await answer.text() } }
      await answer.body?.cancel()
      next = new URL(location, next)
      form = undefined
    }
    throw new Error(`it is sent around for ever: ${next.href}`)
  }

  /** The page's first form, with its hidden fields and these. */
  submit({ url, html }: Page, fields: Record<string, string>): Promise<Arrival> {
    const form = /<form\b[^>]*>[\s\S]*?<\/form>/i.exec(html)?.[0]
    if (form === undefined) throw new Error(`no form on ${url.href}:\n${html}`)
    const filled = new URLSearchParams()
    for (const [input] of form.matchAll(/<input\b[^>]*>/gi)) {
      const name = attribute(input, 'name')
      if (attribute(input, 'type') === 'hidden' && name) filled.set(name, attribute(input, 'value') ?? '')
    }
    for (const [name, value] of Object.entries(fields)) filled.set(name, value)
    return this.open(new URL(attribute(form, 'action') ?? '', url), filled)
  }

  /** Opens a page and submits its form, where the provider does not know the person already. */
  async signIn(url: string | URL, fields: Record<string, string>): Promise<URL> {
    const arrival = await this.open(url)
    return callbackOf('callback' in arrival ? arrival : await this.submit(arrival.page, fields))
  }

  #jar(url: URL): Map<string, string> {
    const jar = this.#jars.get(url.origin) ?? new Map<string, string>()
    this.#jars.set(url.origin, jar)
    return jar
  }

  #keep(url: URL, cookies: string[]): void {
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      const expires = /; *expires=([^;]+)/i.exec(cookie)?.[1]
      const over =
        /; *max-age=0\b/i.test(cookie) || (expires !== undefined && Date.parse(expires) < Date.now())
      if (value === '' || over) this.#jar(url).delete(name)
      else this.#jar(url).set(name, value)
    }
  }
}

export function callbackOf(arrival: Arrival): URL {
  if ('callback' in arrival) return arrival.callback
  const { url, status, html } = arrival.page
  const text = html.replace(/<(script|style)[\s\S]*?<\/\1>|<[^>]+>/gi, ' ').replace(/\s+/g, ' ')
  throw new Error(`not sent back, but to ${url.href} (${status}): ${text.slice(0, 2_000)}`)
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`^<[^>]*\\s${name}\\s*=\\s*["']([^"']*)["']`, 'i').exec(tag)?.[1]
  return value
    ?.replaceAll('&quot;', '"')
    .replace(/&#x?([0-9a-f]+);/gi, (whole, code) =>
      String.fromCharCode(Number.parseInt(code, whole.includes('x') ? 16 : 10)),
    )
    .replaceAll('&amp;', '&')
}
