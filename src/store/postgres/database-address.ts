/** What an address of Postgres may say, and what it says of TLS: every parameter is understood, or refuses the start. */
import { isIP } from 'node:net'
import { isLoopback } from '../../core/loopback.js'
import { escapeFault } from '../../core/percent-escapes.js'

const sslModes = ['disable', 'require', 'verify-full']

/** What is wrong with an address, each with its remedy. */
export function addressFaults(address: string, setting: string): string[] {
  if (!URL.canParse(address) || !/^postgres(ql)?:$/.test(new URL(address).protocol)) {
    const form =
      setting === 'DATABASE_URL' ? 'postgres://user:password@host:5432/database' : 'it like DATABASE_URL'
    return [`${setting} is not a Postgres address: write ${form}`]
  }
  const broken = escapeFault(address, setting)
  if (broken) return [broken]
  const faults: string[] = []
  const { searchParams } = new URL(address)
  if (searchParams.getAll('sslmode').length > 1) faults.push(`${setting}: sslmode is given twice: remove one`)
  for (const [parameter, value] of searchParams) {
    // Settings of the session would stand above the service's own.
    if (parameter !== 'sslmode') faults.push(`${setting}: ${notTaken(parameter)}`)
    else if (!sslModes.includes(value))
      faults.push(`${setting}: sslmode takes ${sslModes.join(', ')}, not ${value || 'nothing'}`)
  }
  return faults
}

function notTaken(parameter: string): string {
  return parameter === 'sslrootcert'
    ? 'the parameter sslrootcert is not supported: remove it, and name the file in NODE_EXTRA_CA_CERTS'
    : `the parameter ${parameter} is not supported: remove it`
}

/**
 * For the driver. Where the address does not say it, whatever leaves this machine is encrypted and its server
 * authenticated. Explicit, so that no variable of the environment turns the check of the certificate off.
 */
export function tlsOf(address: string): false | 'require' | { rejectUnauthorized: true; host?: string } {
  const { hostname, searchParams } = new URL(address)
  const asked = searchParams.get('sslmode')
  const mode = asked ?? (hostname === '' || isLoopback(hostname) ? 'disable' : 'verify-full')
  if (mode === 'disable') return false
  if (mode === 'require') return mode
  const host = hostname.replace(/^\[|\]$/g, '')
  return { rejectUnauthorized: true, ...(isIP(host) !== 0 && { host }) }
}
