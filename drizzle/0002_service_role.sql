-- Whoever migrates owns the tables; the service works as this role, which cannot change them or what was recorded.
-- Roles belong to the whole server: another database of the same server may have made it already.
do $$
begin
  create role "mintmark_service" nologin;
exception
  when duplicate_object or unique_violation then null;
end
$$;
--> statement-breakpoint
grant usage on schema "public", "drizzle" to "mintmark_service";
--> statement-breakpoint
grant select on "drizzle"."__drizzle_migrations" to "mintmark_service";
--> statement-breakpoint
grant select, insert, update, delete on all tables in schema "public" to "mintmark_service";
--> statement-breakpoint
revoke update, delete, truncate on "audit_events" from "mintmark_service";
