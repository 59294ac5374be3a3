-- How long personal data is kept, in days; where nothing is said, for good. A chore works it off in batches.
create table retention (
  owner_id uuid not null primary key, -- an account; zeros: the platform
  message_days bigint, -- what was written in messages
  held_days bigint, -- held messages
  unknown_days bigint, -- messages to unknown lines; the platform's
  audit_days bigint, -- entries of the audit; the platform's
  version bigint not null
);
insert into chore (name, due_at) values ('retention', 0);

-- What was written in a message is gone: after so many days. The row stays.
alter table message add column removed_after bigint;
-- How far a line's messages are worked off.
create table retention_mark (
  line_id uuid not null primary key references line (id),
  up_to uuid not null
);

-- Up to which entry the audit was cut, and that one's hash: the chain is checked from there. One row; an entry of the audit says it too.
create table audit_cut (
  number bigint not null,
  hash text collate "C" not null primary key,
  at bigint not null
);

-- Who manages staff says how long personal data is kept.
insert into role_permission (role_id, permission) select role_id, 'manage_personal_data' from role_permission where permission = 'manage_staff';
