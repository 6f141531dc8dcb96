/** Every column of the schema: whether a change of it takes something away from tokens, only adds, or does neither. */
import { ofSecret } from './dead.js'
import { roles, type Stage } from './stage.js'

type Old = Stage['old']

export interface Change {
  readonly what: string
  /** Statements, in one transaction. */
  readonly sql: (stage: Stage) => string
  /** `kind handle` of what dies by it. */
  readonly dead: (old: Old) => readonly string[]
}

export type Class =
  | { readonly is: 'takes away' | 'adds'; readonly changes: readonly Change[] }
  /** `value`: what the column is set to. `refused`: the database does not let it be changed. */
  | { readonly is: 'irrelevant'; readonly why: string; readonly value?: string; readonly refused?: true }

const none = () => []
const takes = (...changes: Change[]): Class => ({ is: 'takes away', changes })
const adds = (...changes: Change[]): Class => ({ is: 'adds', changes })
const irrelevant = (why: string, value?: string): Class => ({
  is: 'irrelevant',
  why,
  ...(value !== undefined && { value }),
})
const refused = (why: string, value?: string): Class =>
  ({ ...irrelevant(why, value), refused: true }) as Class

const is = (text: string) => `id = '${text}'`
/** `update <table> set <set>` of the row of the stage. */
const set =
  (table: string, ...sets: string[]) =>
  ({ rows }: Stage) =>
    sets.map(set => `update ${table} set ${set} where ${rows[table]?.where}`).join(';')

const lost = (what: string, sql: Change['sql'], key: Exclude<keyof Old, 'listed'>): Change => ({
  what,
  sql,
  dead: old => [old[key]],
})
const nothing = (what: string, sql: Change['sql']): Change => ({ what, sql, dead: none })

const display = 'is shown to people, and is in no token'
const when = 'says when something happened'
const bookkeeping =
  'what a sign-in is proved with: sessions end by the epoch, which the same transaction replaces'
const atTheRequest = 'is in no token: it is asked of the row at each request'
const factor = 'is asked at a sign-in and a step-up'
const flow = 'belongs to something that is not finished: no session, no token'
const receipt = 'says what is known of a verifier, and nothing of a token'
const idle = 'a session that goes idle is refused at its next exchange, as without this change'
const asJson = (roles: object) => `roles = '${JSON.stringify(roles)}'`
const { reader, writer } = roles
const zeroSecret = ofSecret(Buffer.alloc(32))

const membership = (what: string, ...sets: string[]) => lost(what, set('memberships', ...sets), 'membership')
const place = (what: string, ...sets: string[]) => lost(what, set('tenants', ...sets), 'tenant')
const shop = (what: string, ...sets: string[]) => lost(what, set('applications', ...sets), 'application')
const ended = (what: string, ...sets: string[]) => lost(what, set('sessions', ...sets), 'session')

export const classes: Readonly<Record<string, Readonly<Record<string, Class>>>> = {
  sessions: {
    id: takes(
      ended('renamed', `id = 'AAAAAAAAAAAAAAAAAAAAAA'`),
      nothing('the same', set('sessions', 'id = id')),
    ),
    user_id: takes(
      lost(
        'of somebody else',
        s => `update sessions set user_id = '${s.loner}' where ${is(s.session)}`,
        'session',
      ),
    ),
    secret_hash: irrelevant('tokens rest on the id, which a renewal in the table keeps'),
    previous_secret_hash: irrelevant('as the secret'),
    secret_changed_at: irrelevant(when),
    service_epoch: irrelevant('is copied from the service, whose own value dies'),
    user_epoch: irrelevant('is copied from the user, whose own value dies'),
    tenant_id: irrelevant('who works in another tenant has lost nothing in this one'),
    auth_time: adds(nothing('a new proof', set('sessions', `auth_time = now()`))),
    amr: adds(nothing('a new proof', set('sessions', `amr = '{pwd,otp}'`))),
    acr: adds(nothing('a new proof', set('sessions', `acr = 'aal2'`))),
    created_at: irrelevant(when),
    ends_at: takes(
      ended('shortened', `ends_at = ends_at - interval '1 second'`),
      ended('over at once', `ends_at = now() - interval '1 hour'`),
      nothing('lengthened', set('sessions', `ends_at = ends_at + interval '1 hour'`)),
      nothing('shortened after it ended', s => `update sessions set ends_at = now() where ${is(s.ended)}`),
    ),
    idle_seconds: irrelevant(idle),
    last_seen_at: irrelevant(idle),
    ended_at: takes(
      ended('ended', `ended_at = now(), ended_reason = 'signed-out'`),
      ended('ends later', `ended_at = now() + interval '1 hour', ended_reason = 'signed-out'`),
      nothing('ended again', s => `update sessions set ended_at = now() where ${is(s.ended)}`),
      nothing(
        'for another reason',
        s => `update sessions set ended_reason = 'by-person' where ${is(s.ended)}`,
      ),
      nothing(
        'lives again',
        s => `update sessions set ended_at = null, ended_reason = null where ${is(s.ended)}`,
      ),
    ),
    ended_reason: refused('goes with the end'),
    user_agent: irrelevant(display),
    address: irrelevant(display),
  },
  users: {
    id: takes(lost('renamed', s => `update users set id = gen_random_uuid() where ${is(s.loner)}`, 'loner')),
    email: irrelevant(display),
    canonical_email: irrelevant(display),
    name: irrelevant(display),
    address_proved: irrelevant('of the release before', 'not address_proved'),
    address_verified_by: irrelevant('a verification ends what it ends by the epoch', `'sign-up'`),
    state: takes(
      lost('disabled', set('users', `state = 'disabled'`), 'user'),
      lost('disabled, and the epoch with it', set('users', `state = 'disabled', epoch = 5`), 'user'),
      lost('disabled and enabled', set('users', `state = 'disabled'`, `state = 'active'`), 'user'),
      nothing('as it was', set('users', `state = 'active'`)),
    ),
    epoch: takes(
      lost('replaced', set('users', 'epoch = 5'), 'user'),
      nothing('the same', set('users', 'epoch = epoch')),
    ),
    platform_roles: irrelevant(atTheRequest, `'{auditor}'`),
    created_at: irrelevant(when),
  },
  memberships: {
    user_id: takes(
      lost(
        'of somebody else',
        s => `update memberships set user_id = '${s.loner}' where user_id = '${s.user}'`,
        'membership',
      ),
    ),
    tenant_id: takes(
      lost(
        'in another tenant',
        s => `update memberships set tenant_id = '${s.empty}' where user_id = '${s.user}'`,
        'membership',
      ),
    ),
    state: takes(
      membership('suspended', `state = 'suspended'`),
      membership('suspended and let in again', `state = 'suspended'`, `state = 'active'`),
      membership(
        'loses a role while it is suspended: nobody has a token of it',
        `state = 'suspended'`,
        `role_ids = '{}'`,
        `state = 'active'`,
      ),
      nothing('as it was', set('memberships', `state = 'active'`)),
    ),
    role_ids: takes(
      membership('loses one', `role_ids = '{reader}'`),
      membership('loses all', `role_ids = '{}'`),
      membership('one in place of another', `role_ids = '{reader,owner}'`),
      membership('loses one and is suspended', `role_ids = '{reader}', state = 'suspended'`),
      membership('loses one, with a new version by hand', `role_ids = '{reader}', version = 5`),
      nothing('gains one', set('memberships', `role_ids = role_ids || array['owner']`)),
      nothing('in another order', set('memberships', `role_ids = '{writer,reader}'`)),
      nothing('one twice', set('memberships', `role_ids = '{writer,reader,reader}'`)),
      nothing('the same', set('memberships', 'role_ids = role_ids')),
    ),
    created_at: irrelevant(when),
    version: takes(
      membership('replaced', 'version = 5'),
      nothing('the same', set('memberships', 'version = version')),
    ),
  },
  tenants: {
    id: takes(
      lost('renamed', s => `update tenants set id = gen_random_uuid() where ${is(s.empty)}`, 'empty'),
    ),
    name: irrelevant(display),
    state: takes(
      place('suspended', `state = 'suspended'`),
      place('suspended and opened again', `state = 'suspended'`, `state = 'active'`),
      nothing('as it was', set('tenants', `state = 'active'`)),
    ),
    roles: takes(
      place('a role loses a permission', asJson({ reader, writer: { ...writer, permissions: ['read'] } })),
      place('a role loses all', asJson({ reader, writer: { ...writer, permissions: [] } })),
      place(
        'one permission for another',
        asJson({ reader, writer: { ...writer, permissions: ['read', 'x'] } }),
      ),
      place('a role is renamed', asJson({ reader, writer: { ...writer, name: 'Author' } })),
      place('a role is removed', `roles = roles - 'writer'`),
      place('all are removed', `roles = '{}'`),
      place('a role is under another id', asJson({ reader, author: writer })),
      place(
        'one is removed and another added',
        asJson({ reader, other: { name: 'Other', permissions: [] } }),
      ),
      place('loses a permission and is suspended', `roles = '{}', state = 'suspended'`),
      nothing(
        'a role gains a permission',
        set('tenants', asJson({ reader, writer: { ...writer, permissions: ['write', 'x', 'read'] } })),
      ),
      nothing(
        'a role is added',
        set('tenants', asJson({ reader, writer, other: { name: 'Other', permissions: [] } })),
      ),
      nothing('the same', set('tenants', 'roles = roles')),
    ),
    created_at: irrelevant(when),
    version: takes(
      place('replaced', 'version = 5'),
      nothing('the same', set('tenants', 'version = version')),
    ),
  },
  applications: {
    client_id: takes(
      lost(
        'renamed',
        s => `update applications set client_id = 'other' where client_id = '${s.bare}'`,
        'bare',
      ),
    ),
    name: irrelevant(display),
    state: takes(
      shop('disabled', `state = 'disabled'`),
      shop('disabled and enabled', `state = 'disabled'`, `state = 'enabled'`),
      nothing('as it was', set('applications', `state = 'enabled'`)),
    ),
    audiences: takes(
      shop('loses one', `audiences = '{api}'`),
      shop('one in place of another', `audiences = '{api,other}'`),
      shop('loses one and is disabled', `audiences = '{api}', state = 'disabled'`),
      nothing('gains one', set('applications', `audiences = audiences || array['other']`)),
      nothing('in another order', set('applications', `audiences = '{reports,api}'`)),
    ),
    token_lifetime_seconds: irrelevant('a token keeps the lifetime that it was minted with'),
    grants: irrelevant(atTheRequest, `'{account}'`),
    return_addresses: irrelevant('where the hosted pages send somebody back to'),
    created_at: irrelevant(when),
    version: takes(
      shop('replaced', 'version = 5'),
      nothing('the same', set('applications', 'version = version')),
    ),
  },
  application_origins: {
    origin: takes(
      lost('another one', set('application_origins', `origin = 'https://other.example'`), 'application'),
      nothing('the same', set('application_origins', 'origin = origin')),
    ),
    client_id: takes(
      lost('moved to another application', set('application_origins', `client_id = 'bare'`), 'application'),
      nothing('the same', set('application_origins', 'client_id = client_id')),
    ),
  },
  service: {
    only: refused('there is one row', 'false'),
    epoch: takes(
      lost('replaced', set('service', 'epoch = 5'), 'service'),
      nothing('the same', set('service', 'epoch = epoch')),
    ),
    system_identifier: irrelevant('which server is believed'),
    timeline: irrelevant('which server is believed'),
    passkey_rp_id: irrelevant('what passkeys are made for'),
    // Raised: what was dead is not said any more, since every token of before is over by its generation
    // (sequence.test.ts).
    generation: takes(
      nothing('raised', set('service', 'generation = generation + 1')),
      nothing('lowered by hand', set('service', 'generation = generation - 1')),
      lost(
        'raised, and the epoch replaced',
        set('service', 'generation = generation + 1, epoch = 5'),
        'service',
      ),
    ),
    sessions_in_redis: irrelevant('where rows may lie', 'true'),
  },
  signing_keys: {
    kid: refused('what was published is not rewritten'),
    public_jwk: refused('what was published is not rewritten'),
    sealed: irrelevant('the private half, sealed under another key'),
    kek_id: irrelevant('what the private half is sealed under'),
    kek_ids: irrelevant('what the private half was ever sealed under'),
    published_at: refused('what was published is not rewritten'),
    signs_from: irrelevant('what it has signed stays', 'now()'),
    signs_until: irrelevant('what it has signed stays', `now() + interval '1 hour', signs_from = now()`),
    // Of a key that has signed it is refused until its last token is over.
    unpublished_at: irrelevant('leaves the list: every verifier drops it with the list'),
    compromised_at: takes(
      lost(
        'compromised',
        set('signing_keys', 'compromised_at = now(), unpublished_at = now(), sealed = null, kek_id = null'),
        'key',
      ),
      {
        what: 'and said again, since when',
        sql: set(
          'signing_keys',
          'compromised_at = now(), unpublished_at = now(), sealed = null, kek_id = null',
          'compromised_at = compromised_at',
        ),
        dead: old => [old.key],
      },
    ),
    compromised_since: takes(
      lost(
        'since when',
        set(
          'signing_keys',
          `compromised_at = now(), compromised_since = now() - interval '1 hour', unpublished_at = now(), sealed = null, kek_id = null`,
          'compromised_since = null',
        ),
        'key',
      ),
    ),
    exempt: irrelevant('why it may sign early', `'compromise'`),
    least_lead: refused('what was published is not rewritten'),
    least_tail: refused('what was published is not rewritten'),
  },
  revoked_sessions: {
    number: refused('is generated'),
    id: takes(
      {
        what: 'names another session',
        sql: set('revoked_sessions', `id = 'AAAAAAAAAAAAAAAAAAAAAA'`),
        dead: () => ['session AAAAAAAAAAA'],
      },
      nothing('names none any more', set('revoked_sessions', 'id = null')),
      nothing('the same', set('revoked_sessions', 'id = id')),
    ),
    secret_hash: takes(
      {
        what: 'refuses another secret',
        sql: set('revoked_sessions', `secret_hash = decode(repeat('00', 32), 'hex')`),
        dead: () => [`secret ${zeroSecret}`],
      },
      nothing('refuses none any more', set('revoked_sessions', 'secret_hash = null')),
      nothing('the same', set('revoked_sessions', 'secret_hash = secret_hash')),
    ),
    reason: irrelevant('the session is over, whyever', `'by-person'`),
    renewed_as: irrelevant('the session is over, whatever goes on', `'x', reason = 'renewed'`),
    revoked_at: irrelevant(when),
    until: irrelevant('when the row may go'),
  },
  passwords: {
    user_id: irrelevant(bookkeeping, '(select id from users where id <> user_id limit 1)'),
    phc: irrelevant(bookkeeping),
    version: irrelevant(bookkeeping),
    failures: irrelevant('wrong passwords in a row'),
    changed_at: irrelevant(when),
    reset_pass_hash: irrelevant(flow),
    reset_network: irrelevant(flow),
    reset_fresh_until: irrelevant(flow),
  },
  ...everyColumn('totp_factors', factor, {
    id: undefined,
    user_id: irrelevant(factor, '(select id from users where id <> user_id limit 1)'),
    session_id: irrelevant(factor),
    name: irrelevant(display),
    sealed_secret: undefined,
    kek_id: undefined,
    confirmed_at: undefined,
    last_step: undefined,
    created_at: irrelevant(when),
    last_used_at: irrelevant(when),
    last_used_address: irrelevant(display),
  }),
  ...everyColumn('passkeys', factor, {
    id: undefined,
    user_id: irrelevant(factor, '(select id from users where id <> user_id limit 1)'),
    credential_id: undefined,
    public_key: undefined,
    algorithm: undefined,
    counter: undefined,
    backup_eligible: irrelevant(display, 'not backup_eligible'),
    backed_up: irrelevant(display, 'not backed_up'),
    transports: undefined,
    name: irrelevant(display),
    first_step: irrelevant(factor, 'not first_step'),
    created_at: irrelevant(when),
    last_used_at: irrelevant(when),
    last_used_address: irrelevant(display),
  }),
  ...everyColumn('passkey_owners', factor, {
    credential_hash: undefined,
    user_id: irrelevant(factor, '(select id from users where id <> user_id limit 1)'),
  }),
  ...everyColumn('passkey_challenges', flow, {
    challenge_hash: undefined,
    purpose: irrelevant(flow, `'register'`),
    user_id: irrelevant(flow, '(select id from users where id <> user_id limit 1)'),
    session_id: undefined,
    holder_hash: irrelevant(flow, 'holder_hash'),
    expires_at: undefined,
  }),
  ...everyColumn('recovery_codes', factor, {
    user_id: irrelevant(factor, '(select id from users where id <> user_id limit 1)'),
    code_hash: undefined,
    used_at: undefined,
  }),
  ...everyColumn('factor_failures', 'wrong codes in a row', {
    user_id: irrelevant(factor, '(select id from users where id <> user_id limit 1)'),
    totp: undefined,
  }),
  ...everyColumn('factor_resets', 'what carries it out ends the sessions by itself', {
    user_id: irrelevant(factor, '(select id from users where id <> user_id limit 1)'),
    due_at: undefined,
    created_at: irrelevant(when),
  }),
  ...everyColumn('pending_sign_ins', flow, {
    secret_hash: undefined,
    user_id: irrelevant(flow, '(select id from users where id <> user_id limit 1)'),
    first_step: undefined,
    user_epoch: undefined,
    service_epoch: undefined,
    attempts: undefined,
    created_at: irrelevant(when),
    expires_at: undefined,
  }),
  service_keys: {
    id: refused('a verifier that has reported names it', `'AAAAAAAAAAAAAAAAAAAAAA'`),
    secret_hash: irrelevant(atTheRequest),
    name: irrelevant(display),
    scopes: irrelevant(atTheRequest),
    audiences: irrelevant(atTheRequest),
    tenant_id: irrelevant(atTheRequest, '(select id from tenants limit 1)'),
    created_at: irrelevant(when),
    expires_at: irrelevant(atTheRequest),
    revoked_at: irrelevant(atTheRequest),
    last_used_at: irrelevant(when),
    feed_mode: irrelevant(receipt, `'required'`),
    feed_max_age_seconds: irrelevant(receipt, '20'),
  },
  invitations: {
    id: irrelevant(flow),
    token_hash: irrelevant(flow),
    tenant_id: irrelevant(flow, '(select id from tenants where id <> tenant_id limit 1)'),
    email: irrelevant(flow),
    canonical_email: irrelevant(flow),
    role_ids: irrelevant(flow),
    inviter: irrelevant(flow, '(select id from users limit 1)'),
    created_at: irrelevant(when),
    expires_at: irrelevant(flow),
  },
  mail_links: {
    token_hash: irrelevant(flow),
    purpose: irrelevant(flow, `'password-reset'`),
    email: irrelevant(flow),
    canonical_email: irrelevant(flow),
    created_at: irrelevant(when),
    expires_at: irrelevant(flow),
  },
  federation_flows: {
    state_hash: irrelevant(flow),
    browser_hash: irrelevant(flow),
    provider_id: irrelevant(flow, 'provider_id'),
    purpose: irrelevant(flow, `'step-up'`),
    user_id: irrelevant(flow, '(select id from users where id <> user_id limit 1)'),
    return_to: irrelevant(flow),
    created_at: irrelevant(when),
    expires_at: irrelevant(flow),
  },
  ...everyColumn('providers', 'is asked at a sign-in; sessions that it opened before live on', {
    id: refused('identities refer to it'),
    kind: irrelevant('is asked at a sign-in', `'github'`),
    state: irrelevant('is asked at a sign-in', `'disabled'`),
    sign_up: irrelevant('is asked at a sign-in', `'open'`),
    counts_as_proof: irrelevant('is asked at a sign-in', 'not counts_as_proof'),
    name: irrelevant(display),
    issuer: undefined,
    client_id: undefined,
    sealed_secret: undefined,
    kek_id: undefined,
    scopes: undefined,
    hosts: undefined,
    directories: undefined,
    sign_up_domains: undefined,
    authoritative_for: undefined,
    claims: undefined,
    grants: undefined,
    aal2: undefined,
    created_at: irrelevant(when),
    changed_at: irrelevant(when),
  }),
  ...everyColumn('federated_identities', 'a way in: what unlinks one ends its sessions by themselves', {
    id: undefined,
    user_id: irrelevant('a way in', '(select id from users where id <> user_id limit 1)'),
    provider_id: irrelevant('a way in', 'provider_id'),
    issuer: undefined,
    subject: undefined,
    label: irrelevant(display),
    created_at: irrelevant(when),
  }),
  ...everyColumn('federated_sessions', 'what a provider said once: it names sessions to end, and ends none', {
    session_id: undefined,
    identity_id: undefined,
    provider_id: undefined,
    issuer: undefined,
    subject: undefined,
    provider_session: undefined,
    acr: undefined,
    amr: undefined,
    auth_time: undefined,
    created_at: irrelevant(when),
    ends_at: irrelevant('when the row may go'),
  }),
  ...everyColumn('provider_logouts', 'refuses sign-ins to come; what it ended has ended by itself', {
    issuer: undefined,
    jti: undefined,
    subject: undefined,
    provider_session: undefined,
    issued_at: undefined,
    created_at: irrelevant(when),
  }),
  ...everyColumn('audit_events', 'says what was done', {
    id: refused('is generated'),
    at: undefined,
    action: undefined,
    outcome: irrelevant('says what was done', `'done'`),
    reason: undefined,
    actor: undefined,
    service_key: undefined,
    tenant: undefined,
    subject: undefined,
    session: undefined,
    address: undefined,
    request_id: undefined,
  }),
  ...everyColumn('idempotent_answers', 'what a creation answered', {
    caller: undefined,
    key: undefined,
    request_hash: undefined,
    answer: undefined,
    created_at: irrelevant(when),
  }),
  ...everyColumn('key_policy', 'the schedule of keys to come', {
    only: refused('there is one row', 'false'),
    longest_lifetime: irrelevant(
      'a token keeps the lifetime that it was minted with',
      'longest_lifetime - 1',
    ),
    skew: irrelevant('the schedule of keys to come', 'skew - 1'),
    list_age: irrelevant('the schedule of keys to come', 'list_age - 1'),
    verifier_age: irrelevant('the schedule of keys to come', 'verifier_age - 1'),
    lead: undefined,
    tail: undefined,
    rotate_every: undefined,
    jitter_percent: undefined,
  }),
  ...everyColumn('revocation_feed', 'the feed itself, which only its functions write', {
    only: refused('there is one row', 'false'),
    head: undefined,
  }),
  ...everyColumn('feed_verifiers', receipt, {
    key_id: refused('names a service key', `'x'`),
    v: undefined,
    name: undefined,
    mode: irrelevant(receipt, `'required'`),
    max_age_seconds: undefined,
    jwks: undefined,
    generation: irrelevant(receipt, 'null, position = null'),
    position: irrelevant(receipt, 'null, generation = null'),
    first_seen_at: undefined,
    last_seen_at: undefined,
    left_at: undefined,
  }),
  ...everyColumn('feed_waits', receipt, { id: refused('is generated'), until: undefined }),
  ...everyColumn('revocations', 'the feed itself, which only its functions write', {
    id: refused('is generated'),
    handle: undefined,
    kind: undefined,
    user_id: undefined,
    session: undefined,
    tenant_id: undefined,
    client_id: undefined,
    kid: undefined,
    position: irrelevant('the feed itself', '1, sequenced_at = now()'),
    sequenced_at: irrelevant('the feed itself', 'now(), position = 1'),
  }),
}

/** Columns of one table that are irrelevant for one reason, but for those that have their own. */
function everyColumn(table: string, why: string, columns: Record<string, Class | undefined>) {
  return {
    [table]: Object.fromEntries(
      Object.entries(columns).map(([column, own]) => [column, own ?? irrelevant(why)]),
    ),
  }
}
