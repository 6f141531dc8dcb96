/** Why a Redis is away, and what to do: from the sockets themselves, since the driver says of most that they closed. */
import standalone from 'ioredis/built/connectors/StandaloneConnector.js'

/** TLS that failed, by Node's codes: the certificate, or a server that does not speak TLS. */
const certificate = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|HOSTNAME_MISMATCH)/
const brokenTls = /^(ERR_SSL|EPROTO|ECONNRESET|ETIMEDOUT|timeout$)/
const brokenPlain = /^(ECONNRESET|EPIPE)/
const wrongPassword = /^(NOAUTH|WRONGPASS|ERR (AUTH|Client sent AUTH|invalid password))/

/** What the driver says where it knows no more. */
export const closed = 'Connection is closed.'

export interface Away {
  readonly reason: string
  readonly remedy: string
}

/** What has happened to the connections of one client, of all nodes together in a Cluster. */
export class Contact {
  readonly #isTls: boolean
  #error: Error | undefined
  /** Whether the last connection that was tried reached a server. */
  #reached = false
  #wasReady = false

  /** `address` is the first one of REDIS_URL. */
  constructor(address: string) {
    this.#isTls = address.startsWith('rediss:')
  }

  /** For the driver's option of this name. */
  get connector() {
    const contact = this
    return class extends standalone.default {
      constructor(options: unknown) {
        super(options as ConstructorParameters<typeof standalone.default>[0])
      }

      override async connect(emit: (type: string, error: Error) => void) {
        contact.#reached = false
        const stream = await super.connect(emit)
        stream.once('connect', () => {
          contact.#reached = true
        })
        stream.once('error', error => contact.failed(error))
        return stream
      }
    }
  }

  ready(): void {
    this.#wasReady = true
    this.#error = undefined
  }

  failed(error: Error): void {
    if (error.message !== closed) this.#error = error
  }

  toString(): string {
    return `${this.#reason()}: ${this.#remedy()}`
  }

  parts(): Away {
    return { reason: this.#reason(), remedy: this.#remedy() }
  }

  /** Redis may repeat what was sent, a password too, but only in quotes. */
  #reason(): string {
    const error = this.#error
    if (!error) return 'it closes the connection'
    const said = error.name === 'ReplyError' ? error.message.split(/["'`]/, 1)[0] : error.message
    return (said as string).replace(/\.$/, '')
  }

  #remedy(): string {
    const { name = '', code = '', message = '' } = (this.#error ?? {}) as NodeJS.ErrnoException
    const never = this.#reached && !this.#wasReady
    return remedyOfRedis({
      certificate: certificate.test(code),
      password: name === 'ReplyError' && wrongPassword.test(message),
      noTls: never && this.#isTls && (!this.#error || brokenTls.test(code || message)),
      tls: never && !this.#isTls && (!this.#error || brokenPlain.test(code)),
    })
  }
}

type Cause = 'certificate' | 'password' | 'noTls' | 'tls'

function remedyOfRedis(is: Readonly<Record<Cause, boolean>>): string {
  if (is.certificate)
    return "check REDIS_URL: its host must match the server's certificate, and NODE_EXTRA_CA_CERTS must contain the authority that signed it"
  if (is.password) return 'check REDIS_URL: the server does not accept this user with this password'
  if (is.noTls)
    return 'check REDIS_URL, and that the server supports TLS (or use redis:// on a private network)'
  if (is.tls) return 'check REDIS_URL: write rediss:// if the server requires TLS'
  return 'check REDIS_URL, and that the server is running and accepts this user'
}
