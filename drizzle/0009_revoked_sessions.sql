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
grant select, insert, update, delete on "revoked_sessions" to "mintmark_service";
