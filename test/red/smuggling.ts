/** HT-01: requests whose end two parties could see at different places. Each must be refused and its connection closed. */

export interface Smuggled {
  readonly what: string
  readonly bytes: string
}

const head = (...lines: string[]) => `POST /v1/sign-up HTTP/1.1\r\nHost: x\r\n${lines.join('\r\n')}\r\n\r\n`
/** The request that must never be seen as one: it would be answered 200. */
const hidden = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
const chunked = `0\r\n\r\n${hidden}`

export const smuggled: readonly Smuggled[] = [
  { what: 'CL.TE', bytes: head('Content-Length: 6', 'Transfer-Encoding: chunked') + chunked },
  { what: 'TE.CL', bytes: head('Transfer-Encoding: chunked', 'Content-Length: 6') + chunked },
  { what: 'TE.TE', bytes: head('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + chunked },
  { what: 'two lengths', bytes: `${head('Content-Length: 0', 'Content-Length: 40')}${hidden}` },
  { what: 'two lengths in one line', bytes: `${head('Content-Length: 0, 40')}${hidden}` },
  { what: 'a signed length', bytes: `${head('Content-Length: +0')}${hidden}` },
  { what: 'a negative length', bytes: `${head('Content-Length: -1')}${hidden}` },
  { what: 'a hexadecimal length', bytes: `${head('Content-Length: 0x0')}${hidden}` },
  { what: 'an empty length', bytes: `${head('Content-Length: ')}${hidden}` },
  { what: 'a length over 64 bits', bytes: `${head('Content-Length: 18446744073709551616')}${hidden}` },
  { what: 'xchunked', bytes: head('Transfer-Encoding: xchunked') + chunked },
  { what: 'chunked, identity', bytes: head('Transfer-Encoding: chunked, identity') + chunked },
  { what: 'chunked in quotes', bytes: head('Transfer-Encoding: "chunked"') + chunked },
  { what: 'chunked after a vertical tab', bytes: head('Transfer-Encoding: \x0bchunked') + chunked },
  { what: 'a blank before the colon', bytes: head('Transfer-Encoding : chunked') + chunked },
  { what: 'a blank before the name', bytes: head(' Transfer-Encoding: chunked') + chunked },
  { what: 'a NUL in the name', bytes: head('Transfer\0-Encoding: chunked') + chunked },
  { what: 'a folded header', bytes: head('X: a', ' Transfer-Encoding: chunked') + chunked },
  { what: 'a folded Transfer-Encoding', bytes: head('Transfer-Encoding:', ' chunked') + chunked },
  { what: 'a bare LF after the request line', bytes: `GET /healthz HTTP/1.1\nHost: x\r\n\r\n` },
  { what: 'a bare LF after a header', bytes: `GET /healthz HTTP/1.1\r\nHost: x\nX: y\r\n\r\n` },
  { what: 'a bare LF after the head', bytes: `GET /healthz HTTP/1.1\r\nHost: x\r\n\n` },
  {
    what: 'a bare CR in a value',
    bytes: `GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 40\r\n\r\n`,
  },
  { what: 'a chunk size with a sign', bytes: `${head('Transfer-Encoding: chunked')}+0\r\n\r\n${hidden}` },
  { what: 'a chunk size in 0x', bytes: `${head('Transfer-Encoding: chunked')}0x0\r\n\r\n${hidden}` },
  { what: 'a chunk size over 64 bits', bytes: `${head('Transfer-Encoding: chunked')}fffffffffffffffff\r\n` },
  { what: 'a chunk ended by a bare LF', bytes: `${head('Transfer-Encoding: chunked')}0\n\r\n${hidden}` },
  {
    what: 'a chunk longer than its size',
    bytes: `${head('Transfer-Encoding: chunked')}1\r\nab\r\n${chunked}`,
  },
  {
    what: 'a bare LF in a chunk extension',
    bytes: `${head('Transfer-Encoding: chunked')}2;\nxx\r\n4c\r\n0\r\n\r\n${hidden}`,
  },
  { what: 'no Host', bytes: 'GET /healthz HTTP/1.1\r\n\r\n' },
  { what: 'two Hosts', bytes: 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n' },
  { what: 'HTTP/0.9', bytes: 'GET /healthz\r\n\r\n' },
  { what: 'HTTP/1.2', bytes: 'GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n' },
  { what: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  { what: 'a TLS hello', bytes: '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n' },
  { what: 'a blank in the target', bytes: 'GET /healthz /x HTTP/1.1\r\nHost: x\r\n\r\n' },
  { what: 'a control character in the target', bytes: 'GET /heal\x01thz HTTP/1.1\r\nHost: x\r\n\r\n' },
  { what: 'a lower-case method', bytes: 'get /healthz HTTP/1.1\r\nHost: x\r\n\r\n' },
  { what: 'a method of its own', bytes: 'MINT /healthz HTTP/1.1\r\nHost: x\r\n\r\n' },
]
