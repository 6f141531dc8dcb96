ALTER TABLE "service" ADD COLUMN "sessions_in_redis" boolean DEFAULT false NOT NULL;--> statement-breakpoint
grant update ("sessions_in_redis") on "service" to "mintmark_service";
