CREATE TABLE "key_policy" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"longest_lifetime" integer DEFAULT 900 NOT NULL,
	"skew" integer DEFAULT 60 NOT NULL,
	"list_age" integer DEFAULT 3600 NOT NULL,
	"verifier_age" integer DEFAULT 3900 NOT NULL,
	"lead" integer DEFAULT 86400 NOT NULL,
	"tail" integer DEFAULT 7200 NOT NULL,
	"rotate_every" integer DEFAULT 2592000 NOT NULL,
	"jitter_percent" integer DEFAULT 10 NOT NULL,
	CONSTRAINT "key_policy_only" CHECK ("key_policy"."only"),
	CONSTRAINT "key_policy_longest_lifetime" CHECK ("key_policy"."longest_lifetime" between 1 and 900),
	CONSTRAINT "key_policy_not_negative" CHECK (least("key_policy"."skew", "key_policy"."list_age", "key_policy"."verifier_age") >= 1),
	CONSTRAINT "key_policy_lead" CHECK ("key_policy"."lead" >= "key_policy"."list_age" + "key_policy"."verifier_age" + "key_policy"."skew"),
	CONSTRAINT "key_policy_tail" CHECK ("key_policy"."tail" >= "key_policy"."list_age" + "key_policy"."longest_lifetime" + "key_policy"."skew"),
	CONSTRAINT "key_policy_rotate_every" CHECK ("key_policy"."rotate_every" >= "key_policy"."lead"),
	CONSTRAINT "key_policy_jitter" CHECK ("key_policy"."jitter_percent" between 0 and 100)
);
--> statement-breakpoint
ALTER TABLE "signing_keys" ALTER COLUMN "sealed" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "signing_keys" ALTER COLUMN "kek_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "kek_ids" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "signs_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "compromised_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "compromised_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "exempt" text;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "least_lead" integer NOT NULL DEFAULT 7560;--> statement-breakpoint
ALTER TABLE "signing_keys" ADD COLUMN "least_tail" integer NOT NULL DEFAULT 4560;--> statement-breakpoint
ALTER TABLE "signing_keys" ALTER COLUMN "least_lead" DROP DEFAULT, ALTER COLUMN "least_tail" DROP DEFAULT;--> statement-breakpoint
insert into "key_policy" default values;--> statement-breakpoint
-- Keys of earlier releases: founded, or made by a recovery, which gave what signed before two more hours.
update "signing_keys" set "kek_ids" = array["kek_id"],
  "exempt" = case when "signs_from" < "published_at" + interval '7560 seconds' then 'first' end,
  "signs_until" = case when "signs_from" is not null
    then greatest("signs_from", "unpublished_at" - interval '7200 seconds') end;--> statement-breakpoint
CREATE INDEX "signing_keys_signs_from" ON "signing_keys" USING btree ("signs_from");--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_exempt" CHECK ("signing_keys"."exempt" in ('first', 'compromise', 'recovery'));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_lead" CHECK ("signing_keys"."exempt" is not null or "signing_keys"."signs_from" >= "signing_keys"."published_at" + "signing_keys"."least_lead" * interval '1 second');--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_until" CHECK ("signing_keys"."signs_until" is null or ("signing_keys"."signs_from" is not null and "signing_keys"."signs_until" >= "signing_keys"."signs_from"));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_tail" CHECK ("signing_keys"."unpublished_at" is null or "signing_keys"."compromised_at" is not null or "signing_keys"."signs_from" is null
        or ("signing_keys"."signs_until" is not null and "signing_keys"."unpublished_at" >= "signing_keys"."signs_until" + "signing_keys"."least_tail" * interval '1 second'));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_sealed" CHECK (("signing_keys"."sealed" is null) = ("signing_keys"."kek_id" is null));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_erased" CHECK ("signing_keys"."sealed" is not null or "signing_keys"."signs_until" is not null or "signing_keys"."unpublished_at" is not null);--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_compromised" CHECK ("signing_keys"."compromised_at" is null or ("signing_keys"."sealed" is null and "signing_keys"."unpublished_at" is not null
        and "signing_keys"."unpublished_at" <= "signing_keys"."compromised_at"
        and ("signing_keys"."signs_from" is null or ("signing_keys"."signs_until" is not null and "signing_keys"."signs_until" <= "signing_keys"."compromised_at"))));--> statement-breakpoint
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_since" CHECK ("signing_keys"."compromised_since" is null or ("signing_keys"."compromised_at" is not null and "signing_keys"."compromised_since" <= "signing_keys"."compromised_at"));--> statement-breakpoint
-- What the checks cannot say: nothing that has happened is rewritten, from whomever the statement comes.
create function "guard_signing_key"() returns trigger language plpgsql as $$
declare
  wrong text;
begin
  if tg_op = 'DELETE' then
    raise exception 'a key that was published stays in the history' using errcode = 'check_violation';
  end if;
  if new.kek_id is not null and not new.kek_id = any(new.kek_ids) then
    new.kek_ids := new.kek_ids || new.kek_id;
  end if;
  if tg_op = 'INSERT' then
    new.published_at := now();
    select list_age + verifier_age + skew, list_age + longest_lifetime + skew
      into strict new.least_lead, new.least_tail from key_policy;
    if new.signs_from < now() then
      raise exception 'a key begins to sign now or later' using errcode = 'check_violation';
    end if;
    return new;
  end if;
  wrong := case
    when (new.kid, new.public_jwk, new.published_at, new.least_lead, new.least_tail)
      is distinct from (old.kid, old.public_jwk, old.published_at, old.least_lead, old.least_tail)
      or not new.kek_ids @> old.kek_ids then 'what was published is not rewritten'
    when new.signs_from is distinct from old.signs_from and (old.signs_from <= now()
      or (new.signs_from < now() and new.exempt is distinct from 'recovery')) then 'a key begins to sign once, now or later'
    when new.signs_until is distinct from old.signs_until
      and (old.signs_until <= now() or new.signs_until < now()) then 'a key ends to sign once, now or later'
    when new.unpublished_at is distinct from old.unpublished_at and old.unpublished_at <= now()
      then 'a key that has gone stays away'
    when old.sealed is null and new.sealed is not null then 'an erased private half does not come back'
    when old.compromised_at is not null and (new.compromised_at is distinct from old.compromised_at
      or (new.compromised_since is not null and (old.compromised_since is null or new.compromised_since > old.compromised_since)))
      then 'a compromise is not taken back'
  end;
  if wrong is not null then raise exception '%', wrong using errcode = 'check_violation'; end if;
  return new;
end $$;
--> statement-breakpoint
create trigger "guard_signing_key" before insert or update or delete on "signing_keys"
  for each row execute function "guard_signing_key"();
--> statement-breakpoint
grant select on "key_policy" to "mintmark_service";--> statement-breakpoint
revoke delete on "signing_keys" from "mintmark_service";
