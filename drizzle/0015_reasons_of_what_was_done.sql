ALTER TABLE "audit_events" DROP CONSTRAINT "audit_events_reason";--> statement-breakpoint
-- Every row that is there keeps the stricter rule before: looking at each would hold up whatever is written meanwhile.
ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_reason" CHECK ("audit_events"."outcome" = 'done' or "audit_events"."reason" is not null) NOT VALID;
