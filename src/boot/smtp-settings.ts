/** The address of the mail server: what is wrong with a setting, and how to fix it. */
import { escapeFault } from '../core/percent-escapes.js'

export function smtpFaults(text: string): readonly string[] | string {
  if (!isUrl(text, /^smtps?:$/))
    return 'SMTP_URL is not the address of a mail server: write smtps://user:password@host:465 or smtp://host:587'
  const broken = escapeFault(text, 'SMTP_URL')
  if (broken) return broken
  const faults: string[] = []
  for (const [parameter, value] of new URL(text).searchParams) {
    if (parameter !== 'tls') faults.push(`SMTP_URL: the parameter ${parameter} is not supported: remove it`)
    else if (value !== 'none') faults.push(`SMTP_URL: tls must be none, not ${value || 'nothing'}`)
  }
  return faults
}

export function isUrl(text: string, protocol: RegExp): boolean {
  return URL.canParse(text) && protocol.test(new URL(text).protocol)
}
