-- The release before took the word of every provider for an address, and a reset left what was there before. Who has
-- verified an account's address is not known where an account at a provider was linked before any mail of ours was
-- opened, unless that provider is authoritative for the domain. This only reads, but for the rows that it finds.
update "users" u set "address_proved" = false
from (
  select f."user_id", min(f."created_at") as "linked_at",
    min(f."created_at") filter (where split_part(o."canonical_email", '@', 2) = any(p."authoritative_for")) as "vouched_at"
  from "federated_identities" f
  join "providers" p on p."id" = f."provider_id"
  join "users" o on o."id" = f."user_id"
  where o."address_proved"
  group by f."user_id") i
cross join lateral (
  select least(i."linked_at", min(l."at")) as "first_at" from "audit_events" l
  where l."actor" = i."user_id" and l."action" = 'identity.linked' and l."outcome" = 'done') f
where u."id" = i."user_id"
  and coalesce(i."vouched_at" > f."first_at", true)
  and not exists (
    select from "audit_events" a
    where a."actor" = u."id" and a."action" in ('account.created', 'password.reset') and a."outcome" = 'done'
      and a."at" < f."first_at");--> statement-breakpoint
-- Rows that are there get the default without being written; rows of instances of that release, from now on, do not.
ALTER TABLE "users" ADD COLUMN "address_verified_by" text DEFAULT 'earlier';--> statement-breakpoint
ALTER TABLE "users" ALTER COLUMN "address_verified_by" DROP DEFAULT;--> statement-breakpoint
-- Nor do those that such an instance has marked since the first statement here looked.
update "users" set "address_verified_by" = null
where not "address_proved" or "id" in (
  select "actor" from "audit_events"
  where "at" > now() - interval '1 minute' and "action" in ('account.created', 'password.reset') and "outcome" = 'done');--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_address_verified_by" CHECK ("users"."address_verified_by" in ('sign-up', 'password-reset', 'invitation', 'provider', 'earlier'));
