CREATE TABLE "feed_verifiers" (
	"key_id" text NOT NULL,
	"v" text NOT NULL,
	"name" text NOT NULL,
	"mode" text NOT NULL,
	"max_age_seconds" integer NOT NULL,
	"jwks" text,
	"generation" bigint,
	"position" bigint,
	"first_seen_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"left_at" timestamp with time zone,
	CONSTRAINT "feed_verifiers_key_id_v_pk" PRIMARY KEY("key_id","v"),
	CONSTRAINT "feed_verifiers_mode" CHECK ("feed_verifiers"."mode" in ('required', 'preferred')),
	CONSTRAINT "feed_verifiers_position" CHECK (("feed_verifiers"."generation" is null) = ("feed_verifiers"."position" is null))
);
--> statement-breakpoint
CREATE TABLE "feed_waits" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "feed_waits_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "service_keys" ADD COLUMN "feed_mode" text;--> statement-breakpoint
ALTER TABLE "service_keys" ADD COLUMN "feed_max_age_seconds" integer;--> statement-breakpoint
ALTER TABLE "feed_verifiers" ADD CONSTRAINT "feed_verifiers_key_id_service_keys_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."service_keys"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "feed_verifiers_last_seen" ON "feed_verifiers" USING btree ("last_seen_at");--> statement-breakpoint
CREATE INDEX "feed_waits_until" ON "feed_waits" USING btree ("until");--> statement-breakpoint
ALTER TABLE "service_keys" ADD CONSTRAINT "service_keys_feed" CHECK (feed_mode in ('required', 'preferred') and feed_max_age_seconds > 0);