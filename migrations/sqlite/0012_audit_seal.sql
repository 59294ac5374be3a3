-- The audit is sealed: a task numbers committed entries and chains them by hash, so that one that is changed, taken out or put in
-- afterwards is noticed. Writers do not wait for it.
alter table audit_entry add column number integer; -- 1, 2, 3 … without gaps; null until it is sealed
alter table audit_entry add column hash text; -- SHA-256 of the hash before and of this entry
create unique index audit_numbered on audit_entry (number) where number is not null;
create index audit_unsealed on audit_entry (id) where number is null;
insert into chore (name, due_at) values ('seal', 0);

-- What the audit is searched by.
create index audit_of_actor on audit_entry (actor_id, id);
create index audit_of_action on audit_entry (action, id);

-- Who manages staff sees the whole audit.
insert into role_permission (role_id, permission) select role_id, 'see_audit' from role_permission where permission = 'manage_staff';
