/** Which proxies may be believed: addresses and blocks, and never so many that anybody is among them. */
import { BlockList, isIP } from 'node:net'

/** Bits of the largest block that one network can have: 10.0.0.0/8, fc00::/7, and a provider's own in IPv6. */
const largest = { ipv4: 8, local: 7, ipv6: 16 }
const local = new BlockList()
local.addSubnet('fc00::', 7, 'ipv6')
local.addSubnet('fe80::', 10, 'ipv6')
/** IPv4 in the words of IPv6: a block of it holds IPv4 addresses. */
const mapped = new BlockList()
mapped.addSubnet('::ffff:0:0', 96, 'ipv6')

interface Block {
  readonly family: 'ipv4' | 'ipv6'
  readonly bits: number
  readonly largest: number
}

/** What is wrong with them, each with its remedy. */
export function proxyFaults(setting: string, entries: readonly string[]): string[] {
  const faults: string[] = []
  let share = 0
  for (const entry of new Set(entries)) {
    const block = parse(entry)
    if (!block) faults.push(`${setting}: ${entry} is not an address or a block: write it like 10.0.0.0/8`)
    else if (block.bits < block.largest) {
      faults.push(`${setting}: ${entry} trusts everybody in it: list only your proxies, like 10.0.0.0/8`)
    } else if (block.family === 'ipv4') share += 2 ** -block.bits
  }
  if (share >= 0.5)
    faults.push(`${setting} trusts at least half of all addresses: list only your proxies, like 10.0.0.0/8`)
  return faults
}

function parse(entry: string): Block | undefined {
  const [address = '', bits, ...more] = entry.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0 || (bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits)))
    return undefined
  const width = family === 4 ? 32 : 128
  const prefix = bits === undefined ? width : Number(bits)
  if (prefix > width) return undefined
  if (family === 4) return { family: 'ipv4', bits: prefix, largest: largest.ipv4 }
  if (prefix >= 96 && mapped.check(address, 'ipv6'))
    return { family: 'ipv4', bits: prefix - 96, largest: largest.ipv4 }
  if (holdsMapped(address, prefix)) return { family: 'ipv4', bits: 0, largest: largest.ipv4 }
  const least = prefix >= largest.local && local.check(address, 'ipv6') ? largest.local : largest.ipv6
  return { family: 'ipv6', bits: prefix, largest: least }
}

function holdsMapped(address: string, prefix: number): boolean {
  const block = new BlockList()
  block.addSubnet(address, prefix, 'ipv6')
  return block.check('::ffff:0:0', 'ipv6')
}
