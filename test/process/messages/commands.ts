/** Commands that fail, each for one reason or for several at once. */
import { randomUUID } from 'node:crypto'

/** What is there already. */
export interface There {
  readonly tenant: string
  readonly person: string
  readonly application: string
  readonly origin: string
  readonly issuer: string
  /** Where nobody listens. */
  readonly nowhere: number
}

export interface Command {
  readonly args: readonly string[]
  readonly input?: string
  readonly env?: Record<string, string>
  /** What is wrong is what it was asked for: it stands on standard output. */
  readonly prints?: true
}

const many = (count: number) => Array.from({ length: count }, (_, at) => `${'p'.repeat(90)}${at}`)
const failing = (...args: string[]): Command => ({ args })

export function commands({ tenant, person, application, origin, issuer, nowhere }: There): Command[] {
  const secret = ['--client-id', 'x', '--client-secret-stdin']
  const provider = (...args: string[]): Command => ({
    args: ['providers', 'add', ...args],
    input: 'secret\n',
  })
  const elsewhere = `127.0.0.1:${nowhere}`
  return [
    failing('relay', '--upstream', 'http://id.example.com'),
    failing('relay', '--upstream', issuer, '--listen', 'nowhere'),
    failing('relay', '--upstream', issuer, '--readers', '0'),
    failing('relay', '--upstream', issuer, '--service-key-file', 'missing'),
    failing('relay', '--upstream', issuer, '--service-key-file', 'other/first.kek'),
    failing('relay', '--upstream', issuer, '--listen', '192.0.2.1:4002'),
    failing('feed', 'verifiers', 'forget', 'nobody'),
    failing('feed', 'tail', '--since', 'x'),
    failing('sessions', 'end', 'x', '--wait', '99'),
    failing('service-keys', 'create', 'x', '--scope', 'feed', '--feed-max-age', '1'),
    failing('service-keys', 'create', 'x', '--scope', 'users:read', '--feed-mode', 'required'),
    failing('applications', 'show', 'nobody'),
    failing('applications', 'create', application, '--audience', 'api'),
    failing('applications', 'change', application),
    failing('applications', 'create', 'second', '--audience', 'api', '--origin', origin),
    failing('applications', 'delete', 'mintmark'),
    failing(
      ...['applications', 'create', 'No!', '--name', ' ', '--audience', 'a b', '--lifetime', '5'],
      ...['--origin', 'nonsense', issuer, 'https://app.example.com'],
      ...['--return-address', 'nonsense', 'http://localhost:1/'],
    ),
    failing('tenants', 'show', 'acme'),
    failing('tenants', 'show', randomUUID()),
    failing('tenants', 'create', ''),
    failing('roles', 'change', tenant, 'nobody', '--no-permissions'),
    failing('roles', 'create', tenant, 'x', '--permission', 'A B'),
    failing('roles', 'create', tenant, 'member', '--no-permissions'),
    failing('roles', 'create', tenant, 'large', '--permission', ...many(60)),
    failing('roles', 'delete', tenant, 'member'),
    failing('members', 'set', tenant, person),
    failing('members', 'set', tenant, person, '--role', 'member', '--no-roles'),
    failing('members', 'set', tenant, person, '--role', ...many(51)),
    failing('members', 'remove', tenant, person),
    failing('invitations', 'withdraw', tenant, randomUUID()),
    failing('users', 'list', '--limit', '0'),
    failing('users', 'list', '--email', 'nobody'),
    failing('users', 'show', 'nobody'),
    failing('users', 'show', 'nobody@example.com'),
    failing('users', 'change', person),
    failing('users', 'factors', 'nobody'),
    failing('users', 'reset-factors', person),
    failing('users', 'create', 'nobody'),
    failing('users', 'create', person),
    failing('users', 'send-link', person),
    {
      args: ['users', 'create', 'ada@example.com'],
      env: { MINTMARK_OUTBOX_FOLDER: '', SMTP_URL: `smtp://${elsewhere}` },
    },
    {
      args: ['users', 'reset-factors', person],
      env: { MINTMARK_OUTBOX_FOLDER: '', SMTP_URL: `smtp://${elsewhere}` },
    },
    { args: ['users', 'create', 'ada@example.com', '--password-stdin'], input: 'two\nlines\n' },
    { args: ['users', 'create', 'ada@example.com', '--password-stdin'], input: 'short\n' },
    { args: ['users', 'list'], env: { DATABASE_URL: '' } },
    { args: ['users', 'list'], env: { DATABASE_URL: `postgres://u@${elsewhere}/d` } },
    { args: ['recover'], env: { MINTMARK_KEYS_FOLDER: 'nothing' } },
    { args: ['keys', 'reseal'], env: { MINTMARK_KEYS_FOLDER: 'nothing' } },
    { args: ['keys', 'rotate'], env: { MINTMARK_KEYS_FOLDER: 'other' } },
    { args: ['keys', 'doctor'], env: { MINTMARK_KEYS_FOLDER: 'other' }, prints: true },
    failing('keys', 'rotate', 'first'),
    failing('keys', 'rotate', '--compromised', 'nobody'),
    failing('keys', 'rotate', '--compromised', 'all', '--kek', 'first'),
    failing('keys', 'rotate', '--compromised', 'all', '--since', '2999-01-01'),
    failing('keys', 'rotate', '--compromised', 'all', '--since', 'yesterday'),
    failing('keys', 'rotate', '--since', '2026-01-01'),
    failing('keys', 'rotate', '--kek', 'first'),
    failing('providers', 'show', 'nobody'),
    provider('acme'),
    provider('acme', '--issuer', `http://${elsewhere}`),
    failing('providers', 'add', 'acme', '--issuer', `http://${elsewhere}`, '--client-id', 'x'),
    provider('acme', '--issuer', `http://${elsewhere}`, ...secret),
    { ...provider('acme', '--issuer', `http://${elsewhere}`, ...secret), input: 'two\nlines\n' },
    provider('acme', '--claim', 'nothing'),
    provider('acme', '--grant', 'nothing'),
    provider(
      ...['Acme!', '--name', 'n'.repeat(51), '--issuer', 'http://id.example.com?x=1', '--client-id', 'a b'],
      ...['--client-secret-stdin', '--scope', 'a b', '--host', 'https://h', '--sign-up-domain', '@x'],
      ...['--claim', 'name=\t', '--grant', `groups=\t:${tenant}:member`, '--aal2', 'x'],
      ...['--directory', 'nobody'],
    ),
    provider('acme', '--issuer', 'nonsense', ...secret),
    provider('acme', '--preset', 'github', '--issuer', 'https://github.example/', ...secret),
    provider('acme', '--preset', 'microsoft', '--sign-up', 'domains', ...secret),
    failing('service-keys', 'create', 'x', '--scope', 'everything'),
    failing('service-keys', 'create', 'x', '--scope', 'keys:read', '--days', '0'),
    failing(
      ...['service-keys', 'create', 'x', '--scope', 'keys:read', '--audience', 'a b'],
      ...['--tenant', tenant],
    ),
    failing('service-keys', 'revoke', 'nobody'),
    failing('sessions', 'end', 'nobody'),
    failing('sessions', 'end-all'),
    failing('sessions', 'migrate', '--to', 'redis'),
    failing('sessions', 'migrate', '--to', 'memory'),
  ]
}
