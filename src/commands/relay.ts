/** `mintmark relay`: serves the feed of an issuer to many verifiers. It needs no database, and holds no key. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { readHostAndPort } from '../boot/settings.js'
import { CommandFailed } from '../core/errors.js'
import { isLoopback } from '../core/loopback.js'
import { parseServiceCredential } from '../core/service-key.js'
import { createRelay } from '../relay/relay.js'
import type { OperatorCommand } from './command.js'
import { print } from './output.js'

interface Given {
  readonly upstream: string
  readonly listen: string
  readonly serviceKeyFile?: string
  readonly readers: string
}

export function relayCommand(program: OperatorCommand): void {
  program
    .command('relay')
    .description('serve the revocation feed of an issuer, or of another relay, to many verifiers')
    .requiredOption('--upstream <origin>', 'whose feed to serve, like https://id.example.com')
    .option('--listen <host:port>', 'where to serve it', '127.0.0.1:4002')
    .option('--service-key-file <file>', 'a file with a service key that has the scope feed')
    .option('--readers <number>', 'how many readers to serve at once', '1000')
    .action(async (given: Given) => {
      const { host, port } = listenAddress(given.listen)
      const relay = createRelay({
        upstream: origin(given.upstream),
        serviceKey: await serviceKey(given.serviceKeyFile),
        mostReaders: readers(given.readers),
        failing: problem => print(problem ? `The feed is lost: ${problem}.` : 'The feed is back.'),
      })
      relay.server.listen(port, host)
      await once(relay.server, 'listening').catch(error => {
        relay.close()
        throw new CommandFailed(
          `${given.listen} cannot be listened on (${error.code}): choose another --listen`,
        )
      })
      const { port: bound } = relay.server.address() as AddressInfo
      print(`The relay listens on ${host}:${bound}.`)
      const ended = once(relay.server, 'close')
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => relay.close())
      await ended
    })
}

function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url?.origin === text && isSecure) return text
  throw new CommandFailed(
    `--upstream must be an origin like https://id.example.com (http is allowed on loopback), not ${text}`,
  )
}

function listenAddress(text: string): ReturnType<typeof readHostAndPort> {
  const address = readHostAndPort(text)
  if (!Number.isNaN(address.port)) return address
  throw new CommandFailed(`--listen must be host:port, like 127.0.0.1:4002, not ${text}`)
}

function readers(text: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text)
  throw new CommandFailed(`--readers must be a whole number from 1 to 999999, not ${text}`)
}

async function serviceKey(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch(error => {
    throw new CommandFailed(`${file} cannot be read (${error.code}): check --service-key-file`)
  })
  if (parseServiceCredential(text.trim())) return text.trim()
  throw new CommandFailed(`${file} does not contain a service key: put a key with the scope feed into it`)
}
