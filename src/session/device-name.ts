/** A user agent in words, as "Firefox on Linux". A guess for people to recognise a device by; nothing is decided on it. */
import Bowser from 'bowser'

/** Undefined when nothing in it is known. */
export function deviceName(userAgent: string): string | undefined {
  if (userAgent === '') return undefined
  const { browser, os } = Bowser.parse(userAgent)
  if (!browser.name) return os.name
  return os.name ? `${browser.name} on ${os.name}` : browser.name
}
