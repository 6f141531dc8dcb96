/** The Postgres back end as the conformance suites see it, on a database of its own. */
import type postgres from 'postgres'
import type { Test } from 'tap'
import type { TenantId, UserId } from '../../src/core/principal.js'
import { postgresAccountStore } from '../../src/store/postgres/accounts/account-store.js'
import { postgresFactorResets } from '../../src/store/postgres/accounts/factor-resets.js'
import { postgresFactorStore } from '../../src/store/postgres/accounts/factor-store.js'
import { postgresPasskeyStore } from '../../src/store/postgres/accounts/passkey-store.js'
import { postgresRedemptionStore } from '../../src/store/postgres/accounts/redemption-store.js'
import { postgresUserStore } from '../../src/store/postgres/accounts/user-store.js'
import { postgresAuditLog } from '../../src/store/postgres/audit/audit-log.js'
import { postgresCallers } from '../../src/store/postgres/authority/authority-store.js'
import { Database } from '../../src/store/postgres/database.js'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { postgresApplicationStore } from '../../src/store/postgres/tenants/application-store.js'
import { postgresInvitationStore } from '../../src/store/postgres/tenants/invitation-store.js'
import { postgresMembershipStore } from '../../src/store/postgres/tenants/membership-store.js'
import { postgresServiceKeyStore } from '../../src/store/postgres/tenants/service-key-store.js'
import { postgresTenantStore } from '../../src/store/postgres/tenants/tenant-store.js'
import { postgresPendingSignIns } from '../../src/store/sessions/pending-sign-ins.js'
import { postgresRevocations } from '../../src/store/sessions/table/revocations.js'
import { postgresSessionStore } from '../../src/store/sessions/table/session-store.js'
import { sessionsInTable } from '../../src/store/sessions/table/sessions-within.js'
import { testDatabase } from '../support/database.js'
import { ageKeys } from '../support/keys.js'
import { eventually } from '../support/service.js'
import type { FactorWorld } from './factor-resets.js'
import type { Arrange, AuditRow, Held, World } from './world.js'

export async function postgresWorld(t: Test): Promise<World> {
  return (await postgresParts(t)).world
}

/** With what another world needs that has its sessions elsewhere. */
export async function postgresParts(t: Test) {
  const { address, sql } = await testDatabase(t)
  const database = new Database(address)
  const hot = new HotReads(address)
  t.teardown(() => Promise.all([database.close(), hot.close()]))
  const world: World = {
    sessions: postgresSessionStore(database, hot),
    revocations: postgresRevocations(database),
    accounts: postgresAccountStore(database, sessionsInTable),
    within: sessionsInTable,
    transaction: work => database.transaction(work),
    applications: postgresApplicationStore(database),
    users: postgresUserStore(database),
    tenants: postgresTenantStore(database),
    memberships: postgresMembershipStore(database),
    authorities: postgresCallers(hot),
    invitations: { ...postgresInvitationStore(database), ...postgresRedemptionStore(database) },
    serviceKeys: { ...postgresServiceKeyStore(database), find: postgresCallers(hot).find },
    factors: postgresFactorStore(database),
    factorResets: postgresFactorResets(database),
    pendingSignIns: postgresPendingSignIns(database),
    passkeys: postgresPasskeyStore(database),
    keys: postgresKeyRingStore(database),
    audit: postgresAuditLog(database),
    arrange: arrange(sql),
  }
  return { world, database, hot, sql }
}

export async function postgresFactorWorld(t: Test): Promise<FactorWorld> {
  const { world, database, sql } = await postgresParts(t)
  return {
    ...world,
    factors: postgresFactorStore(database),
    resets: postgresFactorResets(database),
    makeDue: async user => void (await sql`update factor_resets set due_at = now() where user_id = ${user}`),
    setPlatformRoles: async (user: UserId, roles) =>
      void (await sql`update users set platform_roles = ${sql.array([...roles])} where id = ${user}`),
  }
}

function arrange(sql: postgres.Sql): Arrange {
  const newEpoch = sql`(random() * 9e15)::bigint`
  const second = sql`interval '1 second'`
  /** A change that touches nothing is a fault of the test. */
  const one = async (change: postgres.PendingQuery<postgres.Row[]>) => {
    const { count } = await change
    if (count !== 1) throw new Error(`${count} rows were changed, not one`)
  }
  return {
    async now() {
      const [row] = await sql`select extract(epoch from clock_timestamp())::float8 as now`
      return row?.now
    },
    disable: user => one(sql`update users set state = 'disabled', epoch = ${newEpoch} where id = ${user}`),
    enable: user => one(sql`update users set state = 'active' where id = ${user}`),
    verify: user => one(sql`update users set address_verified_by = 'earlier' where id = ${user}`),
    replaceUserEpoch: user => one(sql`update users set epoch = ${newEpoch} where id = ${user}`),
    replaceServiceEpoch: () => one(sql`update service set epoch = ${newEpoch}`),
    age: (session, { idle = 0, absolute = 0 }) =>
      one(sql`update sessions set last_seen_at = last_seen_at - ${idle} * ${second},
        ends_at = ends_at - ${absolute} * ${second} where id = ${session}`),
    ageLink: (tokenHash, seconds) =>
      one(
        sql`update mail_links set expires_at = expires_at - ${seconds} * ${second} where token_hash = ${tokenHash}`,
      ),
    ageProof: (session, seconds) =>
      one(sql`update sessions set auth_time = auth_time - ${seconds} * ${second},
        secret_changed_at = secret_changed_at - ${seconds} * ${second} where id = ${session}`),
    ageKey: (key, { expiry = 0, use = 0 }) =>
      one(sql`update service_keys set expires_at = expires_at - ${expiry} * ${second},
        last_used_at = last_used_at - ${use} * ${second} where id = ${key}`),
    enterTenant: (session, tenant) =>
      one(sql`update sessions set tenant_id = ${tenant} where id = ${session}`),
    async rowOf(session) {
      const [row] = await sql`select s::text as text from sessions s where id = ${session}`
      return row?.text
    },
    async endOf(session) {
      const [row] = await sql`select ended_reason from sessions where id = ${session}`
      return row?.ended_reason
    },
    async sessionCount() {
      const [row] = await sql`select count(*)::int as count from sessions`
      return row?.count
    },
    async passwordChangedAt(user) {
      const [row] =
        await sql`select extract(epoch from changed_at)::float8 as at from passwords where user_id = ${user}`
      return row?.at
    },
    async tenant(name, roles = {}) {
      const [row] =
        await sql`insert into tenants (name, roles) values (${name}, ${sql.json(roles as postgres.JSONValue)}) returning id`
      return row?.id as TenantId
    },
    setTenantState: (tenant, state) => one(sql`update tenants set state = ${state} where id = ${tenant}`),
    member: (user, tenant, roleIds, state = 'active') =>
      one(sql`insert into memberships (user_id, tenant_id, role_ids, state)
        values (${user}, ${tenant}, ${sql.array([...roleIds])}, ${state})
        on conflict (user_id, tenant_id) do update set role_ids = excluded.role_ids, state = excluded.state`),
    setApplicationState: (clientId, state) =>
      one(sql`update applications set state = ${state} where client_id = ${clientId}`),
    removeOrigin: origin => one(sql`delete from application_origins where origin = ${origin}`),
    ageKeys: async seconds => void (await ageKeys(sql, seconds)),
    async whileHeld(what, work) {
      await sql.begin(async tx => {
        await hold(tx, what)
        await work()
      })
    },
    audited: async () => [
      ...(await sql<AuditRow[]>`
        select action, outcome, reason, actor, service_key as "serviceKey", tenant, subject, session, address,
          request_id as "requestId"
        from audit_events order by id`),
    ],
    async whileAuditRefuses(work) {
      await sql`alter table audit_events add constraint refuses check (false) not valid`
      try {
        await work()
      } finally {
        await sql`alter table audit_events drop constraint refuses`
      }
    },
    async waiters(count) {
      await eventually(async () => {
        const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`
        return row?.waiting === count || undefined
      })
    },
  }
}

async function hold(tx: postgres.TransactionSql, what: Held): Promise<void> {
  if ('session' in what) await tx`select from sessions where id = ${what.session} for update`
  else if ('user' in what) await tx`select from users where id = ${what.user} for update`
  else if ('link' in what) await tx`select from mail_links where token_hash = ${what.link} for update`
  else await tx`lock table ${tx(what.writesOf)} in share mode`
}
