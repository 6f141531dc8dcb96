-- A session that several providers proved ends with the word of any of them: a row for each.
alter table "federated_sessions" drop constraint "federated_sessions_pkey";--> statement-breakpoint
alter table "federated_sessions" add constraint "federated_sessions_session_id_identity_id_pk" primary key ("session_id", "identity_id");--> statement-breakpoint
create index "federated_sessions_provider" on "federated_sessions" using btree ("provider_id", "session_id");
