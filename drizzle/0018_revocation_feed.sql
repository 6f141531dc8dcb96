CREATE TABLE "revocation_feed" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"head" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "revocation_feed_one_row" CHECK ("revocation_feed"."only")
);
--> statement-breakpoint
CREATE TABLE "revocations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "revocations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"handle" bigint NOT NULL,
	"kind" text NOT NULL,
	"user_id" uuid,
	"session" text,
	"tenant_id" uuid,
	"client_id" text,
	"kid" text,
	"position" bigint,
	"sequenced_at" timestamp with time zone,
	CONSTRAINT "revocations_sequenced" CHECK (("revocations"."position" is null) = ("revocations"."sequenced_at" is null))
);
--> statement-breakpoint
CREATE UNIQUE INDEX "revocations_position" ON "revocations" USING btree ("position") WHERE "revocations"."position" is not null;--> statement-breakpoint
CREATE INDEX "revocations_unsequenced" ON "revocations" USING btree ("id") WHERE "revocations"."position" is null;--> statement-breakpoint
CREATE INDEX "revocations_sequenced_at" ON "revocations" USING btree ("sequenced_at");--> statement-breakpoint
insert into "revocation_feed" default values;--> statement-breakpoint
create function public.random_handle() returns bigint language sql volatile
  return ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12)
    || right(replace(gen_random_uuid()::text, '-', ''), 4))::bit(64)::bigint;
--> statement-breakpoint
create function public.handle_of(bytes bytea) returns bigint language sql immutable
  return ('x' || left(encode(bytes, 'hex'), 16))::bit(64)::bigint;
--> statement-breakpoint
-- The first 8 bytes of a text in base64url. One that is not such a text is in no token: it only must not stop its change.
create function public.handle_of_text(name text) returns bigint language sql immutable
  return case when name ~ '^[A-Za-z0-9_-]{12}'
    then public.handle_of(decode(translate(left(name, 12), '-_', '+/'), 'base64'))
    else public.handle_of(sha256(convert_to(name, 'UTF8'))) end;
--> statement-breakpoint
-- Tokens of a session in Redis carry it too: a sign-out while Redis cannot be asked knows nothing else.
create function public.handle_of_secret(secret_hash bytea) returns bigint language sql immutable
  return public.handle_of(sha256(convert_to('mintmark-feed', 'UTF8') || secret_hash));
--> statement-breakpoint
-- Each of these has a search path in which nobody's table or operator takes the place of another, and names its tables in
-- full. Whoever writes to `revocations` has the rights of the owner.
create function public.revoke_session() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  -- Deleted with its user, whose own handle dies.
  if tg_op = 'DELETE' and not exists (select from public.users where id = old.user_id) then return null; end if;
  insert into public.revocations (handle, kind, session, user_id)
  values (public.handle_of_text(old.id), 'session', old.id, old.user_id);
  return null;
end $$;
--> statement-breakpoint
create function public.revoke_listed() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  -- Of a row that is inserted the old one is null.
  if new.id is not null and new.id is distinct from old.id then
    insert into public.revocations (handle, kind, session) values (public.handle_of_text(new.id), 'session', new.id);
  end if;
  if new.secret_hash is not null and new.secret_hash is distinct from old.secret_hash then
    insert into public.revocations (handle, kind, session) values (public.handle_of_secret(new.secret_hash), 'secret', new.id);
  end if;
  return null;
end $$;
--> statement-breakpoint
create function public.new_epoch() returns trigger language plpgsql
  set search_path = pg_catalog, public, pg_temp as $$ begin
  if new.epoch = old.epoch then new.epoch := public.random_handle(); end if;
  return new;
end $$;
--> statement-breakpoint
create function public.new_version() returns trigger language plpgsql
  set search_path = pg_catalog, public, pg_temp as $$ begin
  if new.version is not distinct from old.version then new.version := public.random_handle(); end if;
  return new;
end $$;
--> statement-breakpoint
create function public.revoke_user() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  insert into public.revocations (handle, kind, user_id) values (old.epoch, 'user', old.id);
  return null;
end $$;
--> statement-breakpoint
create function public.revoke_service() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  insert into public.revocations (handle, kind) values (old.epoch, 'service');
  return null;
end $$;
--> statement-breakpoint
create function public.revoke_membership() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  -- Deleted with its user or its tenant, whose own handle dies.
  if tg_op = 'DELETE' and (not exists (select from public.users where id = old.user_id)
    or not exists (select from public.tenants where id = old.tenant_id)) then return null; end if;
  insert into public.revocations (handle, kind, user_id, tenant_id)
  values (old.version, 'membership', old.user_id, old.tenant_id);
  return null;
end $$;
--> statement-breakpoint
create function public.revoke_tenant() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  insert into public.revocations (handle, kind, tenant_id) values (old.version, 'tenant', old.id);
  return null;
end $$;
--> statement-breakpoint
create function public.revoke_application() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  insert into public.revocations (handle, kind, client_id) values (old.version, 'application', old.client_id);
  return null;
end $$;
--> statement-breakpoint
-- Deleted with its application, there is nothing left to change.
create function public.lose_origin() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  if tg_op = 'UPDATE' and new is not distinct from old then return null; end if;
  update public.applications set version = public.random_handle() where client_id = old.client_id;
  return null;
end $$;
--> statement-breakpoint
create function public.revoke_key() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  insert into public.revocations (handle, kind, kid) values (public.handle_of_text(old.kid), 'key', old.kid);
  return null;
end $$;
--> statement-breakpoint
-- A new generation: every token of before is over by it. No entry of before may stay, since its value may have come back
-- to life here. A killed key has no generation, and stays killed.
create function public.begin_feed() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$ begin
  update public.revocation_feed set head = 0;
  delete from public.revocations;
  insert into public.revocations (handle, kind, kid) select public.handle_of_text(kid), 'key', kid
  from public.signing_keys where compromised_at > now() - interval '1 day';
  return null;
end $$;
--> statement-breakpoint
create function public.refuse_truncate() returns trigger language plpgsql as $$ begin
  raise exception 'TRUNCATE would end sessions and tokens that verifiers go on accepting: delete the rows'
    using errcode = 'check_violation';
end $$;
--> statement-breakpoint
-- Positions are given after the commit, so that no change waits for another one's. Only this statement takes the lock.
create function public.sequence_revocations() returns bigint language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$
declare before bigint; numbered bigint;
begin
  select head into strict before from public.revocation_feed for update;
  with unsequenced as (
    select id, row_number() over (order by id) as number
    from (select id from public.revocations where position is null order by id limit 10000) next
  ), sequenced as (
    update public.revocations r set position = before + u.number, sequenced_at = clock_timestamp()
    from unsequenced u where r.id = u.id returning 1
  )
  select count(*) into numbered from sequenced;
  if numbered > 0 then update public.revocation_feed set head = before + numbered; end if;
  return numbered;
end $$;
--> statement-breakpoint
-- The last one stays: its handle is the tag of the head. The others are kept for a day, to tell a fork by. From the first
-- one that stays on all do, whatever the clock has done: the list has no hole.
create function public.forget_revocations() returns bigint language plpgsql security definer
  set search_path = pg_catalog, public, pg_temp as $$
declare first bigint; forgotten bigint;
begin
  select least(f.head, (select min(position) from public.revocations
    where position is not null and sequenced_at >= now() - interval '1 day 990 seconds'))
  into strict first from public.revocation_feed f;
  delete from public.revocations where id = any(array(
    select id from public.revocations where position < first order by position limit 10000));
  get diagnostics forgotten = row_count;
  return forgotten;
end $$;
