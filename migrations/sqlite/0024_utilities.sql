-- Data utilities: runs with their plan, steps, log and records. What is said here is kept for ever.
create table utility_run (
  id blob not null primary key,
  utility text not null,
  state text not null, -- see utilities/state.rs
  summary text not null, -- what it does, in a sentence
  line_id blob references line (id), -- the line that it is about, if it is about one
  account_id blob references account (id), -- whose data it touches
  target_id blob references account (id), -- where they go, when they go elsewhere
  holds text not null, -- what no other run may touch meanwhile
  held text, -- the same while this one is under way
  parameters text not null, -- JSON
  answers text not null, -- JSON: the form's labels, and what was answered
  plan text not null, -- JSON
  version integer not null,
  asked_by blob not null references staff_member (id),
  asked_at integer not null,
  approval_id blob,
  approved_by blob references staff_member (id),
  started_at integer,
  ended_at integer,
  attempt integer not null, -- grows with each claim; writes of an older one touch no row
  due_at integer, -- when a worker may take it; null when there is nothing to do
  lease_until integer,
  failures integer not null, -- of the batch under way, in a row
  batch_size integer not null,
  taken_at integer, -- when the attempt began
  taken_done integer not null, -- rows that were done then
  error text, -- JSON
  flipped_at integer, -- from then on it is finished or taken back, never left half way
  watermark blob, -- ids up to this one were there at the flip
  reverses blob references utility_run (id)
) strict;
create unique index utility_run_held on utility_run (held) where held is not null;
create index utility_run_due on utility_run (due_at) where due_at is not null;
create index utility_run_of_line on utility_run (line_id, id) where line_id is not null;
create index utility_run_of_account on utility_run (account_id, id) where account_id is not null;
create index utility_run_of_target on utility_run (target_id, id) where target_id is not null;
create index utility_run_of_member on utility_run (asked_by, id);
create index utility_run_by_state on utility_run (state, id);
create index utility_run_reverses on utility_run (reverses) where reverses is not null;

create table utility_step (
  run_id blob not null references utility_run (id),
  n integer not null,
  name text not null, -- the step's word
  title text not null, -- as staff call it
  is_check integer not null, -- it recounts and changes nothing
  place text, -- how far it has come: the last key
  done integer not null,
  total integer not null,
  began_at integer,
  ended_at integer,
  primary key (run_id, n)
) strict;

create table utility_event (
  run_id blob not null references utility_run (id),
  id blob not null,
  at integer not null,
  kind text not null, -- info, warning, error
  text text not null,
  actor text, -- null: the worker
  primary key (run_id, id)
) strict;

-- What was dropped, renamed, reset or merged, written down before the change; what takes a run back goes by it.
create table utility_record (
  run_id blob not null references utility_run (id),
  id blob not null,
  step text not null,
  body text not null, -- JSON
  primary key (run_id, id)
) strict;

-- What stood in a range of a table before it was changed; recounted afterwards.
create table utility_check (
  run_id blob not null references utility_run (id),
  step text not null,
  n integer not null,
  behind text not null, -- the key before the range
  up_to text not null,
  rows_counted integer not null,
  digest text not null, -- SHA-256
  primary key (run_id, step, n)
) strict;

-- A file that was given to a run, in pieces of whole records; and what came of each, in the same pieces.
create table utility_input (
  run_id blob not null references utility_run (id),
  n integer not null,
  first integer not null, -- the number of the piece's first line in the file
  body text not null,
  primary key (run_id, n)
) strict;
create table utility_output (
  run_id blob not null references utility_run (id),
  n integer not null,
  body text not null,
  primary key (run_id, n)
) strict;

-- A line that moves says by which run, until it opens.
alter table line add column transfer_id blob references utility_run (id);

-- Accounts and contacts are closed, not deleted; contacts have a note.
alter table account add column closed_at integer;
alter table contact add column note text not null default '';
alter table contact add column closed_at integer;

-- Consent with its evidence, and all that was ever said.
alter table consent add column evidence text; -- where it comes from, in words
create table consent_event (
  line_id blob not null references line (id),
  number text not null,
  id blob not null, -- zeros: as it stood before the history began
  account_id blob not null,
  state text not null, -- opted_in, opted_out, unknown
  source text not null, -- keyword, staff, import, transfer
  evidence text,
  at integer not null,
  primary key (line_id, number, id)
) strict;
insert into consent_event (line_id, number, id, account_id, state, source, at)
select line_id, number, zeroblob(16), account_id, state, source, at from consent;

-- Who manages roles decides who launches utilities.
insert into role_permission (role_id, permission) select role_id, 'see_runs' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'control_runs' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'transfer_line' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'import_consent' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'migrate_from_v1' from role_permission where permission = 'manage_roles';
