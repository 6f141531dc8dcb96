-- Each on its own: one lock at a time, and all of it can be repeated.
ALTER TABLE "applications" ADD COLUMN IF NOT EXISTS "version" bigint;--> statement-breakpoint
ALTER TABLE "applications" ALTER COLUMN "version" SET DEFAULT random_handle();--> statement-breakpoint
ALTER TABLE "memberships" ADD COLUMN IF NOT EXISTS "version" bigint;--> statement-breakpoint
ALTER TABLE "memberships" ALTER COLUMN "version" SET DEFAULT random_handle();--> statement-breakpoint
ALTER TABLE "tenants" ADD COLUMN IF NOT EXISTS "version" bigint;--> statement-breakpoint
ALTER TABLE "tenants" ALTER COLUMN "version" SET DEFAULT random_handle();--> statement-breakpoint
create or replace trigger revoke_changed after update of id, user_id, ended_at, ends_at on public.sessions for each row
  when (old.ended_at is null and (new.ended_at is not null or new.ends_at < old.ends_at
    or new.id is distinct from old.id or new.user_id is distinct from old.user_id))
  execute function public.revoke_session();
--> statement-breakpoint
-- Deleting what has merely expired takes nothing away.
create or replace trigger revoke_deleted after delete on public.sessions for each row
  when (old.ended_at is null and old.ends_at > now() - interval '2 minutes') execute function public.revoke_session();
--> statement-breakpoint
create or replace trigger revoke_listed after insert or update on public.revoked_sessions for each row
  execute function public.revoke_listed();
--> statement-breakpoint
create or replace trigger new_epoch before update on public.users for each row
  when (old.state = 'active' and new.state is distinct from 'active' or new.id is distinct from old.id)
  execute function public.new_epoch();
--> statement-breakpoint
create or replace trigger revoke_changed after update on public.users for each row
  when (new.epoch is distinct from old.epoch) execute function public.revoke_user();
--> statement-breakpoint
create or replace trigger revoke_deleted after delete on public.users for each row execute function public.revoke_user();
--> statement-breakpoint
create or replace trigger revoke_changed after update on public.service for each row
  when (new.epoch is distinct from old.epoch) execute function public.revoke_service();
--> statement-breakpoint
create or replace trigger revoke_deleted after delete on public.service for each row
  execute function public.revoke_service();
--> statement-breakpoint
create or replace trigger begin_feed after update on public.service for each row
  when (new.generation > old.generation) execute function public.begin_feed();
--> statement-breakpoint
create or replace trigger new_version before update on public.memberships for each row
  when (old.state = 'active' and (new.state is distinct from 'active' or not new.role_ids @> old.role_ids)
    or new.user_id is distinct from old.user_id or new.tenant_id is distinct from old.tenant_id)
  execute function public.new_version();
--> statement-breakpoint
create or replace trigger revoke_changed after update on public.memberships for each row
  when (old.version is not null and new.version is distinct from old.version) execute function public.revoke_membership();
--> statement-breakpoint
create or replace trigger revoke_deleted after delete on public.memberships for each row
  when (old.version is not null) execute function public.revoke_membership();
--> statement-breakpoint
create or replace trigger new_version before update on public.tenants for each row
  when (old.state = 'active' and (new.state is distinct from 'active' or not new.roles @> old.roles)
    or new.id is distinct from old.id)
  execute function public.new_version();
--> statement-breakpoint
create or replace trigger revoke_changed after update on public.tenants for each row
  when (old.version is not null and new.version is distinct from old.version) execute function public.revoke_tenant();
--> statement-breakpoint
create or replace trigger revoke_deleted after delete on public.tenants for each row
  when (old.version is not null) execute function public.revoke_tenant();
--> statement-breakpoint
create or replace trigger new_version before update on public.applications for each row
  when (old.state = 'enabled' and (new.state is distinct from 'enabled' or not new.audiences @> old.audiences)
    or new.client_id is distinct from old.client_id)
  execute function public.new_version();
--> statement-breakpoint
create or replace trigger revoke_changed after update on public.applications for each row
  when (old.version is not null and new.version is distinct from old.version) execute function public.revoke_application();
--> statement-breakpoint
create or replace trigger revoke_deleted after delete on public.applications for each row
  when (old.version is not null) execute function public.revoke_application();
--> statement-breakpoint
create or replace trigger lose_origin after update or delete on public.application_origins for each row
  execute function public.lose_origin();
--> statement-breakpoint
create or replace trigger revoke_changed after update on public.signing_keys for each row
  when (old.compromised_at is null and new.compromised_at is not null) execute function public.revoke_key();
--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.sessions execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.revoked_sessions execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.users execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.memberships execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.tenants execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.applications execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.application_origins execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.service execute function public.refuse_truncate();--> statement-breakpoint
create or replace trigger refuse_truncate before truncate on public.signing_keys execute function public.refuse_truncate();--> statement-breakpoint
-- Until none is left: what somebody else holds is passed over, and comes last, one row at a time.
update public.memberships set version = random_handle() where ctid = any(array(
  select ctid from public.memberships where version is null limit 1000 for no key update skip locked));
--> statement-breakpoint
-- Until none is left:
update public.memberships set version = random_handle() where ctid = (
  select ctid from public.memberships where version is null limit 1 for no key update);
--> statement-breakpoint
-- Until none is left:
update public.tenants set version = random_handle() where ctid = (
  select ctid from public.tenants where version is null limit 1 for no key update);
--> statement-breakpoint
-- Until none is left:
update public.applications set version = random_handle() where ctid = (
  select ctid from public.applications where version is null limit 1 for no key update);
--> statement-breakpoint
alter table public.memberships drop constraint if exists memberships_version,
  add constraint memberships_version check (version is not null) not valid;--> statement-breakpoint
alter table public.memberships validate constraint memberships_version;--> statement-breakpoint
-- The constraint says it already: nothing is read.
alter table public.memberships alter column version set not null, drop constraint memberships_version;--> statement-breakpoint
alter table public.tenants alter column version set not null;--> statement-breakpoint
alter table public.applications alter column version set not null;
