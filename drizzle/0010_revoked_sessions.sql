CREATE TABLE "revoked_sessions" (
	"number" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "revoked_sessions_number_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text,
	"secret_hash" "bytea",
	"reason" text NOT NULL,
	"renewed_as" text,
	"revoked_at" timestamp with time zone DEFAULT now() NOT NULL,
	"until" timestamp with time zone NOT NULL,
	CONSTRAINT "revoked_sessions_id_unique" UNIQUE("id"),
	CONSTRAINT "revoked_sessions_what" CHECK (num_nonnulls("revoked_sessions"."id", "revoked_sessions"."secret_hash") > 0),
	CONSTRAINT "revoked_sessions_id" CHECK (length("revoked_sessions"."id") = 22),
	CONSTRAINT "revoked_sessions_hash" CHECK (octet_length("revoked_sessions"."secret_hash") = 32),
	CONSTRAINT "revoked_sessions_renewed" CHECK (("revoked_sessions"."renewed_as" is null) = ("revoked_sessions"."reason" <> 'renewed'))
);
--> statement-breakpoint
CREATE INDEX "revoked_sessions_secret" ON "revoked_sessions" USING btree ("secret_hash");--> statement-breakpoint
CREATE INDEX "revoked_sessions_until" ON "revoked_sessions" USING btree ("until");--> statement-breakpoint
CREATE INDEX "invitations_expires_at" ON "invitations" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "mail_links_expires_at" ON "mail_links" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_ends_at" ON "sessions" USING btree ("ends_at");--> statement-breakpoint
-- A touch rewrites a row in place while its page has room; vacuum comes after a fiftieth of the table has changed, not
-- after a fifth, which would be a million rows of five.
alter table "sessions" set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);--> statement-breakpoint
grant select, insert, update, delete on "revoked_sessions" to "mintmark_service";--> statement-breakpoint
-- Locking a row, which clean-up does to skip what others hold, wants the right to update a column of it.
grant update ("expires_at") on "federation_flows", "invitations" to "mintmark_service";--> statement-breakpoint
grant update ("created_at") on "provider_logouts" to "mintmark_service";
