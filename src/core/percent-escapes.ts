/** Percent escapes of an address (RFC 3986, section 2.1): anybody who connects to it decodes them, and throws at a broken one. */

/** What is wrong, with the remedy. The text is not repeated: it may hold a password. */
export function escapeFault(text: string, setting: string): string | undefined {
  try {
    decodeURIComponent(text)
    return undefined
  } catch {
    return `${setting} has a percent sign that begins no escape, or an escape that is not UTF-8: write %25 for a percent sign`
  }
}
