ALTER TABLE "service" ADD COLUMN "generation" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
-- A database that is made later begins higher: keys that were kept from one before take it for a later one.
update "service" set "generation" = floor(extract(epoch from now()));
