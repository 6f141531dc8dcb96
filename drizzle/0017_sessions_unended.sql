CREATE INDEX CONCURRENTLY "sessions_unended" ON "sessions" USING btree ("user_id","user_epoch") WHERE "sessions"."ended_at" is null;
