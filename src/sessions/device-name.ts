/** A user agent in words, as "Firefox on Linux". A guess for users to recognise a device by; nothing is decided on it. */
import Bowser from 'bowser'

/** Names that were looked for already: that takes long, and the same few are asked for again and again. */
const known = new Map<string, string | undefined>()
const mostKnown = 1000

/** Undefined when nothing in it is known. */
export function deviceName(userAgent: string): string | undefined {
  if (known.has(userAgent)) return known.get(userAgent)
  const name = nameIn(userAgent)
  if (known.size >= mostKnown) known.delete(known.keys().next().value as string)
  known.set(userAgent, name)
  return name
}

function nameIn(userAgent: string): string | undefined {
  if (userAgent === '') return undefined
  const { browser, os } = Bowser.parse(userAgent)
  if (!browser.name) return os.name
  return os.name ? `${browser.name} on ${os.name}` : browser.name
}
