/** Postgres with TLS: the tests' server speaks it by TCP alone, so this ends it in front of the socket. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { testServer } from './database.js'

export interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
  /** The file of the authority that signed it. */
  readonly authority: string
}

/** For these names, as in `DNS:localhost,IP:127.0.0.1`, from an authority of its own. */
export function certificateFor(t: Test, names: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=authority',
    '-days',
    '2',
  )
  openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=server')
  writeFileSync(file('names'), `subjectAltName=${names}\n`)
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2']
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signed)
  return {
    key: readFileSync(file('server.key')),
    cert: readFileSync(file('server.pem')),
    authority: file('ca.pem'),
  }
}

/** A port on loopback. A client asks for TLS with eight bytes and is told `S` (Postgres, "SSL Session Encryption"). */
export async function tlsFront(t: Test, { key, cert }: Certificate): Promise<number> {
  const { host, port } = testServer()
  const server = createServer(front => {
    front.on('error', () => front.destroy())
    front.once('data', () => {
      front.write('S')
      const secure = new TLSSocket(front, { isServer: true, key, cert })
      const back = createConnection(join(host, `.s.PGSQL.${port}`))
      secure.pipe(back).pipe(secure)
      const end = () => {
        secure.destroy()
        back.destroy()
      }
      for (const socket of [secure, back]) socket.on('error', end).on('close', end)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as { port: number }).port
}
