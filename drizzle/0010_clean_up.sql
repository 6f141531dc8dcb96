CREATE INDEX "invitations_expires_at" ON "invitations" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "mail_links_expires_at" ON "mail_links" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_ends_at" ON "sessions" USING btree ("ends_at");--> statement-breakpoint
CREATE INDEX "sessions_ended_at" ON "sessions" USING btree ("ended_at") WHERE "sessions"."ended_at" is not null;--> statement-breakpoint
-- A touch rewrites a row in place while its page has room; vacuum comes after a fiftieth of the table has changed, not
-- after a fifth, which would be a million rows of five.
alter table "sessions" set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
--> statement-breakpoint
-- Locking a row, which clean-up does to skip what others hold, wants the right to update a column of it.
grant update ("expires_at") on "federation_flows", "invitations" to "mintmark_service";--> statement-breakpoint
grant update ("created_at") on "provider_logouts" to "mintmark_service";
