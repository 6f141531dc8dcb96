ALTER TABLE "passwords" ADD COLUMN "reset_pass_hash" "bytea";--> statement-breakpoint
ALTER TABLE "passwords" ADD COLUMN "reset_network" text;--> statement-breakpoint
ALTER TABLE "passwords" ADD COLUMN "reset_fresh_until" timestamp with time zone;