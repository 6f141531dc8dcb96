CREATE TABLE "idempotent_answers" (
	"caller" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"answer" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotent_answers_caller_key_pk" PRIMARY KEY("caller","key")
);
--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "service_key" text;--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "tenant" uuid;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "platform_roles" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE INDEX "idempotent_answers_age" ON "idempotent_answers" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "audit_events_tenant" ON "audit_events" USING btree ("tenant","id");--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_platform_roles" CHECK ("users"."platform_roles" <@ array['administrator', 'auditor']);--> statement-breakpoint
grant select, insert, update, delete on "idempotent_answers" to "mintmark_service";
--> statement-breakpoint
-- The roles that every tenant has (src/directory/authority.ts), for tenants from before.
update "tenants" set "roles" = '{
  "owner": {"name": "owner", "permissions": ["mintmark:tenant:write", "mintmark:roles:write", "mintmark:members:read", "mintmark:members:write", "mintmark:audit:read"]},
  "admin": {"name": "admin", "permissions": ["mintmark:members:read", "mintmark:members:write", "mintmark:audit:read"]},
  "member": {"name": "member", "permissions": []}
}'::jsonb || "roles";
