/** Raw bytes to a listener and back: for what no HTTP client would send. */
import { connect } from 'node:net'

/** Everything the server sends until it closes the connection; fails if it has not after ten seconds of silence. */
export function exchange(address: string, bytes: string): Promise<string> {
  return converse(address, bytes, 10_000, received => {
    throw new Error(`the connection was not closed after: ${received.slice(0, 200)}`)
  })
}

/** Everything the server sends until it closes the connection, or for so long says nothing more. */
export function untilSilence(address: string, bytes: string, silenceMs: number): Promise<string> {
  return converse(address, bytes, silenceMs, received => received)
}

function converse(
  address: string,
  bytes: string,
  silenceMs: number,
  whenSilent: (received: string) => string,
): Promise<string> {
  const { hostname, port } = new URL(address)
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes, 'latin1'))
    socket.setEncoding('latin1').on('data', text => {
      received += text
    })
    // A reset after the answer is a close as well.
    socket.on('error', () => {}).on('close', () => resolve(received))
    socket.setTimeout(silenceMs, () => {
      try {
        resolve(whenSilent(received))
      } catch (error) {
        reject(error)
      }
      socket.destroy()
    })
  })
}

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** The answers in what was received; each carries a Content-Length. */
export function answersIn(received: string): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let rest = received; rest.startsWith('HTTP/1.1 '); ) {
    const end = rest.indexOf('\r\n\r\n')
    const head = rest.slice(0, end)
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    answers.push({ status: Number(head.slice(9, 12)), head, body: rest.slice(end + 4, end + 4 + length) })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}
