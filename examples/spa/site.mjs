// Serves the application's files, which any web server would do as well.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'

const here = new URL('.//', import.meta.url)
const client = new URL('../../packages/client/dist/', import.meta.url)
const types = { html: 'text/html', js: 'text/javascript' }

/** `config` is what the page is told: where the issuer and the API are. */
export function createSite(config) {
  return createServer(async ({ url = '/' }, response) => {
    const path = url.split('?', 1)[0]
    const name = path === '/' ? 'index.html' : path.slice(1)
    const file = /^(client\/)?([a-z]+\.(html|js))$/.exec(name)
    if (!file) return response.writeHead(404).end()
    response.setHeader('content-type', `${types[file[3]]}; charset=utf-8`)
    if (name === 'config.js')
      return response.end(`export const { issuer, api } = ${JSON.stringify(config)}\n`)
    const bytes = await readFile(new URL(file[2], file[1] ? client : here)).catch(() => undefined)
    return bytes ? response.end(bytes) : response.writeHead(404).end()
  })
}
