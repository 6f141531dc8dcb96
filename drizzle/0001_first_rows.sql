-- The one row of the service, and the application that the hosted pages are: its origin is the issuer itself.
insert into "service" default values;
--> statement-breakpoint
insert into "applications" ("client_id", "name", "audiences", "grants")
values ('mintmark', 'Mintmark pages', '{mintmark}', '{account}');
