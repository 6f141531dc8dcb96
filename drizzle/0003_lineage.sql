ALTER TABLE "service" ADD COLUMN "system_identifier" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "service" ADD COLUMN "timeline" text DEFAULT '' NOT NULL;--> statement-breakpoint
-- The server that migrates is the one that is trusted, until `mintmark recover` names another.
update "service" set
  "system_identifier" = (select system_identifier::text from pg_control_system()),
  "timeline" = left(pg_walfile_name(pg_current_wal_lsn()), 8);
