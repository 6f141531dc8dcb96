CREATE TABLE "federated_identities" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"user_id" uuid NOT NULL,
	"provider_id" text NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"label" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "federated_identities_who" UNIQUE("issuer","subject")
);
--> statement-breakpoint
CREATE TABLE "federated_sessions" (
	"session_id" text PRIMARY KEY NOT NULL,
	"identity_id" uuid NOT NULL,
	"provider_id" text NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"provider_session" text,
	"acr" text,
	"amr" text[] DEFAULT '{}' NOT NULL,
	"auth_time" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ends_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "federation_flows" (
	"state_hash" "bytea" PRIMARY KEY NOT NULL,
	"browser_hash" "bytea" NOT NULL,
	"provider_id" text NOT NULL,
	"purpose" text NOT NULL,
	"user_id" uuid,
	"return_to" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "federation_flows_state_hash" CHECK (octet_length("federation_flows"."state_hash") = 32),
	CONSTRAINT "federation_flows_browser_hash" CHECK (octet_length("federation_flows"."browser_hash") = 32),
	CONSTRAINT "federation_flows_purpose" CHECK ("federation_flows"."purpose" in ('sign-in', 'link', 'step-up')),
	CONSTRAINT "federation_flows_user" CHECK (("federation_flows"."user_id" is null) = ("federation_flows"."purpose" = 'sign-in'))
);
--> statement-breakpoint
CREATE TABLE "provider_logouts" (
	"issuer" text NOT NULL,
	"jti" text NOT NULL,
	"subject" text,
	"provider_session" text,
	"issued_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "provider_logouts_once" UNIQUE("issuer","jti")
);
--> statement-breakpoint
CREATE TABLE "providers" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"issuer" text NOT NULL,
	"client_id" text NOT NULL,
	"sealed_secret" "bytea" NOT NULL,
	"kek_id" text NOT NULL,
	"state" text DEFAULT 'enabled' NOT NULL,
	"scopes" text[] NOT NULL,
	"hosts" text[] DEFAULT '{}' NOT NULL,
	"directories" text[] DEFAULT '{}' NOT NULL,
	"sign_up" text DEFAULT 'off' NOT NULL,
	"sign_up_domains" text[] DEFAULT '{}' NOT NULL,
	"authoritative_for" text[] DEFAULT '{}' NOT NULL,
	"claims" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"grants" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"counts_as_proof" boolean DEFAULT false NOT NULL,
	"aal2" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "providers_issuer_unique" UNIQUE("issuer"),
	CONSTRAINT "providers_id" CHECK ("providers"."id" ~ '^[a-z0-9](-?[a-z0-9]){0,31}$'),
	CONSTRAINT "providers_kind" CHECK ("providers"."kind" in ('openid', 'github')),
	CONSTRAINT "providers_state" CHECK ("providers"."state" in ('enabled', 'disabled')),
	CONSTRAINT "providers_sign_up" CHECK ("providers"."sign_up" in ('open', 'domains', 'invitation', 'off'))
);
--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "address_proved" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "federated_identities" ADD CONSTRAINT "federated_identities_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federated_identities" ADD CONSTRAINT "federated_identities_provider_id_providers_id_fk" FOREIGN KEY ("provider_id") REFERENCES "public"."providers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federation_flows" ADD CONSTRAINT "federation_flows_provider_id_providers_id_fk" FOREIGN KEY ("provider_id") REFERENCES "public"."providers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federation_flows" ADD CONSTRAINT "federation_flows_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "federated_identities_user" ON "federated_identities" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "federated_identities_provider" ON "federated_identities" USING btree ("provider_id");--> statement-breakpoint
CREATE INDEX "federated_sessions_subject" ON "federated_sessions" USING btree ("issuer","subject");--> statement-breakpoint
CREATE INDEX "federated_sessions_identity" ON "federated_sessions" USING btree ("identity_id");--> statement-breakpoint
CREATE INDEX "federated_sessions_ends_at" ON "federated_sessions" USING btree ("ends_at");--> statement-breakpoint
CREATE INDEX "federation_flows_expires_at" ON "federation_flows" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "provider_logouts_subject" ON "provider_logouts" USING btree ("issuer","subject");--> statement-breakpoint
CREATE INDEX "provider_logouts_session" ON "provider_logouts" USING btree ("issuer","provider_session");--> statement-breakpoint
CREATE INDEX "provider_logouts_created_at" ON "provider_logouts" USING btree ("created_at");--> statement-breakpoint
update "users" set "address_proved" = true where exists (
  select from "audit_events" a
  where a."actor" = "users"."id" and a."outcome" = 'done' and a."action" in ('account.created', 'password.reset'));--> statement-breakpoint
grant select, insert, update, delete on "providers", "federated_identities", "federated_sessions" to "mintmark_service";--> statement-breakpoint
grant select, insert, delete on "federation_flows", "provider_logouts" to "mintmark_service";
