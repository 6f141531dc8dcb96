/** Network addresses: read in every form that a peer or a proxy writes them in, kept in one. */
import { BlockList, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * The canonical form of an address: IPv4 with dots, also where IPv6 maps it, else IPv6 after RFC 5952. A port, brackets
 * and a zone belong to a connection and not to a client. Undefined for what is no address, such as the `unknown` and
 * `_hidden` of RFC 7239.
 */
export function readAddress(text: string | undefined): string | undefined {
  return text === undefined ? undefined : read(text)
}

const read = remembering(text => parse(text)?.toString())

/**
 * Each request asks several times about the same few addresses. What is longer than any address is not kept; few are,
 * since each may keep the whole header that it was cut from.
 */
function remembering<Answer>(answer: (text: string) => Answer, most = 100, longest = 64) {
  const known = new Map<string, Answer>()
  return (text: string): Answer => {
    const before = known.get(text)
    if (before !== undefined || known.has(text)) return before as Answer
    const found = answer(text)
    if (known.size >= most) known.clear()
    if (text.length <= longest) known.set(text, found)
    return found
  }
}

function parse(text: string) {
  const { four, six } = /^(?<four>[\d.]+):\d{1,5}$|^\[(?<six>[^\]]+)\](:\d{1,5})?$/.exec(text)?.groups ?? {}
  const address = four ?? six ?? text
  const family = isIP(address)
  if (family === 0 || (four && family !== 4) || (six && family !== 6)) return undefined
  if (family === 4) return ipaddr.process(address)
  // The browser's parser: to ipaddr.js an address that only ends like IPv4 is the IPv4 address.
  const { hostname } = new URL(`http://[${address.replace(/%.*/, '')}]`)
  return ipaddr.process(hostname.slice(1, -1))
}

/** Who is behind an address: IPv4 one by one, IPv6 by its /64, which is what one customer is given (RFC 6177). */
export function network(address: string): string {
  const parsed = parse(address)
  if (!parsed) return address
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString()
  return `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`
}

export type Trusts = (address: string | undefined) => boolean

/** Whether an address, in whatever form, lies in one of these blocks. */
export function trusting(blocks: readonly string[]): Trusts {
  // Apart: to one list a block of IPv6 that happens to hold `::ffff:0:0/96` would be all of IPv4.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const block of blocks) {
    const [written = '', bits] = block.split('/')
    const address = readAddress(written) ?? written
    const mapped = isIP(written) === 6 && isIP(address) === 4 ? 96 : 0
    const length = Number(bits ?? (isIP(written) === 4 ? 32 : 128)) - mapped
    if (length < 0) lists.ipv6.addSubnet(written, length + mapped, 'ipv6')
    else lists[familyOf(address)].addSubnet(address, length, familyOf(address))
  }
  const trusts = remembering(text => {
    const address = readAddress(text)
    return address !== undefined && lists[familyOf(address)].check(address, familyOf(address))
  })
  return text => text !== undefined && trusts(text)
}

const familyOf = (address: string) => (isIP(address) === 4 ? 'ipv4' : 'ipv6')
