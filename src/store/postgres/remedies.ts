/** What to do when Postgres, or what stands before it, does not let us connect or does not let us be the service. */
import postgres from 'postgres'

export const directly =
  'a connection pooler does not keep the settings of a session: set DATABASE_URL to the address of Postgres itself'

const toMigrate = 'run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set'

/** TLS that failed, by Node's codes: a certificate, or a server that does not speak it. */
const certificate = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|HOSTNAME_MISMATCH)/
const noTls = /^(ERR_SSL|EPROTO)/

/** `setting` is the address that was tried. */
export function remedyOf(error: unknown, setting = 'DATABASE_URL'): string {
  if (error instanceof postgres.PostgresError) return remedyOfState(error, setting)
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (certificate.test(code)) {
    return `check ${setting}: its host must match the server's certificate, and NODE_EXTRA_CA_CERTS must contain the authority that signed it`
  }
  if (noTls.test(code) || code === 'ECONNRESET') {
    return `check ${setting}, and that the server supports TLS (or use sslmode=disable on a private network)`
  }
  return `check ${setting}, and that the server is running and reachable`
}

function remedyOfState({ code, message, severity }: postgres.PostgresError, setting: string): string {
  // PgBouncer's words, which it does not translate.
  if (/unsupported startup parameter/.test(message)) return directly
  if (code === '53300') return 'raise max_connections on the server, or run fewer instances'
  if (code.startsWith('28'))
    return `check ${setting}: the server does not accept this user with this password`
  if (code.startsWith('3D')) return `check ${setting}: create the database, or fix its name`
  if (code === '42501' && severity === 'FATAL')
    return `this login may not connect to the database: ${toMigrate}`
  if (code === '42501') return `the login of DATABASE_URL may not act as the service: ${toMigrate}`
  if (code === '22023') return 'this database has no role for the service: run `mintmark migrate`'
  return `check ${setting}, and that the server is running and accepts this user`
}
