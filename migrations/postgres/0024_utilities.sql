-- Data utilities: runs with their plan, steps, log and records. What is said here is kept for ever.
create table utility_run (
  id uuid not null primary key,
  utility text collate "C" not null,
  state text collate "C" not null, -- see utilities/state.rs
  summary text collate "C" not null, -- what it does, in a sentence
  line_id uuid references line (id), -- the line that it is about, if it is about one
  account_id uuid references account (id), -- whose data it touches
  target_id uuid references account (id), -- where they go, when they go elsewhere
  holds text collate "C" not null, -- what no other run may touch meanwhile
  held text collate "C", -- the same while this one is under way
  parameters text collate "C" not null, -- JSON
  answers text collate "C" not null, -- JSON: the form's labels, and what was answered
  plan text collate "C" not null, -- JSON
  version bigint not null,
  asked_by uuid not null references staff_member (id),
  asked_at bigint not null,
  approval_id uuid,
  approved_by uuid references staff_member (id),
  started_at bigint,
  ended_at bigint,
  attempt bigint not null, -- grows with each claim; writes of an older one touch no row
  due_at bigint, -- when a worker may take it; null when there is nothing to do
  lease_until bigint,
  failures bigint not null, -- of the batch under way, in a row
  batch_size bigint not null,
  taken_at bigint, -- when the attempt began
  taken_done bigint not null, -- rows that were done then
  error text collate "C", -- JSON
  flipped_at bigint, -- from then on it is finished or taken back, never left half way
  watermark uuid, -- ids up to this one were there at the flip
  reverses uuid references utility_run (id)
);
create unique index utility_run_held on utility_run (held) where held is not null;
create index utility_run_due on utility_run (due_at) where due_at is not null;
create index utility_run_of_line on utility_run (line_id, id) where line_id is not null;
create index utility_run_of_account on utility_run (account_id, id) where account_id is not null;
create index utility_run_of_target on utility_run (target_id, id) where target_id is not null;
create index utility_run_of_member on utility_run (asked_by, id);
create index utility_run_by_state on utility_run (state, id);
create index utility_run_reverses on utility_run (reverses) where reverses is not null;

create table utility_step (
  run_id uuid not null references utility_run (id),
  n bigint not null,
  name text collate "C" not null, -- the step's word
  title text collate "C" not null, -- as staff call it
  is_check boolean not null, -- it recounts and changes nothing
  place text collate "C", -- how far it has come: the last key
  done bigint not null,
  total bigint not null,
  began_at bigint,
  ended_at bigint,
  primary key (run_id, n)
);

create table utility_event (
  run_id uuid not null references utility_run (id),
  id uuid not null,
  at bigint not null,
  kind text collate "C" not null, -- info, warning, error
  text text collate "C" not null,
  actor text collate "C", -- null: the worker
  primary key (run_id, id)
);

-- What was dropped, renamed, reset or merged, written down before the change; what takes a run back goes by it.
create table utility_record (
  run_id uuid not null references utility_run (id),
  id uuid not null,
  step text collate "C" not null,
  body text collate "C" not null, -- JSON
  primary key (run_id, id)
);

-- What stood in a range of a table before it was changed; recounted afterwards.
create table utility_check (
  run_id uuid not null references utility_run (id),
  step text collate "C" not null,
  n bigint not null,
  behind text collate "C" not null, -- the key before the range
  up_to text collate "C" not null,
  rows_counted bigint not null,
  digest text collate "C" not null, -- SHA-256
  primary key (run_id, step, n)
);

-- A file that was given to a run, in pieces of whole records; and what came of each, in the same pieces.
create table utility_input (
  run_id uuid not null references utility_run (id),
  n bigint not null,
  first bigint not null, -- the number of the piece's first line in the file
  body text collate "C" not null,
  primary key (run_id, n)
);
create table utility_output (
  run_id uuid not null references utility_run (id),
  n bigint not null,
  body text collate "C" not null,
  primary key (run_id, n)
);

-- A line that moves says by which run, until it opens.
alter table line add column transfer_id uuid references utility_run (id);

-- Accounts and contacts are closed, not deleted; contacts have a note.
alter table account add column closed_at bigint;
alter table contact add column note text collate "C" not null default '';
alter table contact add column closed_at bigint;

-- Consent with its evidence, and all that was ever said.
alter table consent add column evidence text collate "C"; -- where it comes from, in words
create table consent_event (
  line_id uuid not null references line (id),
  number text collate "C" not null,
  id uuid not null, -- zeros: as it stood before the history began
  account_id uuid not null,
  state text collate "C" not null, -- opted_in, opted_out, unknown
  source text collate "C" not null, -- keyword, staff, import, transfer
  evidence text collate "C",
  at bigint not null,
  primary key (line_id, number, id)
);
insert into consent_event (line_id, number, id, account_id, state, source, at)
select line_id, number, '00000000-0000-0000-0000-000000000000'::uuid, account_id, state, source, at from consent;

-- Who manages roles decides who launches utilities.
insert into role_permission (role_id, permission) select role_id, 'see_runs' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'control_runs' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'transfer_line' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'import_consent' from role_permission where permission = 'manage_roles';
insert into role_permission (role_id, permission) select role_id, 'migrate_from_v1' from role_permission where permission = 'manage_roles';
