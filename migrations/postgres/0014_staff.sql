-- Staff: roles that are edited, a second factor, devices that a member has signed in from, and what waits for a second person.
alter table role add column version bigint not null default 1;

alter table staff_member add column second_factor text collate "C"; -- the secret of the one-time codes, sealed; null without a second factor
alter table staff_member add column second_factor_step bigint not null default 0; -- the last 30 s step whose code was used
alter table staff_member add column second_factor_begun text collate "C"; -- a secret that is not confirmed by a first code yet, sealed

create table recovery_code (
  staff_id uuid not null references staff_member (id),
  code_hash bytea not null, -- SHA-256; a code is 120 random bits
  used_at bigint,
  primary key (staff_id, code_hash)
);

-- Browsers that a member has signed in with: a stranger's failures do not keep them out.
create table known_device (
  token_hash bytea primary key, -- SHA-256 of the cookie's value
  staff_id uuid not null references staff_member (id),
  seen_at bigint not null
);
create index known_device_of_staff on known_device (staff_id);

-- Tries to sign in, counted within a window; takes the place of a row for each failure.
drop table sign_in_failure;
create table throttle (
  subject_hash bytea primary key, -- SHA-256 of what they are counted for
  since bigint not null, -- the window's begin
  tries bigint not null
);

-- What only somebody with a second factor may do.
create table second_factor_rule (
  permission text collate "C" not null primary key
);

-- One row: who changes roles or members writes it first, so that two at once cannot remove the last administrator together.
create table staff_turn (
  name text collate "C" not null primary key,
  turn bigint not null
);
insert into staff_turn (name, turn) values ('authority', 0);

create table approval (
  id uuid primary key,
  kind text collate "C" not null, -- what is asked for; see approvals.rs
  account_id uuid, -- whose it is, when it is one account's
  summary text collate "C" not null, -- a sentence for people
  wish text collate "C" not null, -- JSON: what is carried out
  note text collate "C" not null, -- why
  asked_by uuid not null references staff_member (id),
  asked_at bigint not null,
  expires_at bigint not null,
  state text collate "C" not null, -- open, approved, declined, withdrawn
  decided_by uuid references staff_member (id),
  decided_at bigint,
  used_at bigint, -- when who asked made use of a consent that is no act by itself
  decision_note text collate "C"
);
create index approval_by_state on approval (state, id);

insert into role_permission (role_id, permission) select role_id, 'manage_roles' from role_permission where permission = 'manage_staff';
insert into role_permission (role_id, permission) select role_id, 'approve' from role_permission where permission = 'manage_staff';
