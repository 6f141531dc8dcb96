CREATE TABLE "application_origins" (
	"origin" text PRIMARY KEY NOT NULL,
	"client_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "applications" (
	"client_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"state" text DEFAULT 'enabled' NOT NULL,
	"audiences" text[] NOT NULL,
	"token_lifetime_seconds" integer DEFAULT 300 NOT NULL,
	"grants" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "applications_state" CHECK ("applications"."state" in ('enabled', 'disabled')),
	CONSTRAINT "applications_lifetime" CHECK ("applications"."token_lifetime_seconds" between 60 and 900),
	CONSTRAINT "applications_grants" CHECK ("applications"."grants" <@ array['account', 'admin'])
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"action" text NOT NULL,
	"outcome" text NOT NULL,
	"reason" text,
	"actor" uuid,
	"subject" text,
	"session" text,
	"address" text,
	"request_id" text,
	CONSTRAINT "audit_events_outcome" CHECK ("audit_events"."outcome" in ('done', 'refused')),
	CONSTRAINT "audit_events_reason" CHECK (("audit_events"."outcome" = 'refused') = ("audit_events"."reason" is not null))
);
--> statement-breakpoint
CREATE TABLE "mail_links" (
	"token_hash" "bytea" PRIMARY KEY NOT NULL,
	"purpose" text NOT NULL,
	"email" text NOT NULL,
	"canonical_email" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "mail_links_purpose" CHECK ("mail_links"."purpose" in ('sign-up', 'password-reset')),
	CONSTRAINT "mail_links_hash" CHECK (octet_length("mail_links"."token_hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "memberships" (
	"user_id" uuid NOT NULL,
	"tenant_id" uuid NOT NULL,
	"state" text DEFAULT 'active' NOT NULL,
	"role_ids" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "memberships_user_id_tenant_id_pk" PRIMARY KEY("user_id","tenant_id"),
	CONSTRAINT "memberships_state" CHECK ("memberships"."state" in ('active', 'suspended'))
);
--> statement-breakpoint
CREATE TABLE "passwords" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"phc" text NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "service" (
	"only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"epoch" bigint DEFAULT ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12) || right(replace(gen_random_uuid()::text, '-', ''), 4))::bit(64)::bigint NOT NULL,
	CONSTRAINT "service_one_row" CHECK ("service"."only")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"secret_hash" "bytea" NOT NULL,
	"previous_secret_hash" "bytea",
	"secret_changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"service_epoch" bigint NOT NULL,
	"user_epoch" bigint NOT NULL,
	"tenant_id" uuid,
	"auth_time" timestamp with time zone DEFAULT now() NOT NULL,
	"amr" text[] NOT NULL,
	"acr" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"idle_seconds" integer NOT NULL,
	"last_seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	"ended_reason" text,
	"user_agent" text NOT NULL,
	"address" text NOT NULL,
	CONSTRAINT "sessions_id" CHECK (length("sessions"."id") = 22),
	CONSTRAINT "sessions_hash" CHECK (octet_length("sessions"."secret_hash") = 32),
	CONSTRAINT "sessions_ended" CHECK (("sessions"."ended_at" is null) = ("sessions"."ended_reason" is null))
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"sealed" "bytea" NOT NULL,
	"kek_id" text NOT NULL,
	"published_at" timestamp with time zone DEFAULT now() NOT NULL,
	"signs_from" timestamp with time zone,
	"unpublished_at" timestamp with time zone,
	CONSTRAINT "signing_keys_kid" CHECK ("signing_keys"."kid" = "signing_keys"."public_jwk" ->> 'kid'),
	CONSTRAINT "signing_keys_order" CHECK ("signing_keys"."signs_from" >= "signing_keys"."published_at"),
	CONSTRAINT "signing_keys_public" CHECK (not ("signing_keys"."public_jwk" ? 'd'))
);
--> statement-breakpoint
CREATE TABLE "tenants" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"state" text DEFAULT 'active' NOT NULL,
	"roles" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tenants_state" CHECK ("tenants"."state" in ('active', 'suspended')),
	CONSTRAINT "tenants_roles" CHECK (not jsonb_path_exists("tenants"."roles", '$.* ? (!(exists(@.name) && exists(@.permissions)))'))
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"email" text NOT NULL,
	"canonical_email" text NOT NULL,
	"name" text,
	"state" text DEFAULT 'active' NOT NULL,
	"epoch" bigint DEFAULT ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12) || right(replace(gen_random_uuid()::text, '-', ''), 4))::bit(64)::bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "users_canonical_email_unique" UNIQUE("canonical_email"),
	CONSTRAINT "users_state" CHECK ("users"."state" in ('active', 'disabled'))
);
--> statement-breakpoint
ALTER TABLE "application_origins" ADD CONSTRAINT "application_origins_client_id_applications_client_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."applications"("client_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "passwords" ADD CONSTRAINT "passwords_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_events_actor" ON "audit_events" USING btree ("actor","at");--> statement-breakpoint
CREATE INDEX "audit_events_at" ON "audit_events" USING btree ("at");--> statement-breakpoint
CREATE INDEX "mail_links_address" ON "mail_links" USING btree ("canonical_email","purpose");--> statement-breakpoint
CREATE INDEX "memberships_tenant" ON "memberships" USING btree ("tenant_id");--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id");