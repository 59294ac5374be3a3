-- Staff: who works here, what they may do, their sessions, and the audit of what they did.


create table staff_member (
  id blob not null primary key,
  email text not null unique, -- lower case
  name text not null,
  password_hash text, -- argon2id PHC string; null until the invitation is accepted
  disabled_at integer,
  created_at integer not null,
  version integer not null
) strict;

create table role (
  id blob not null primary key,
  name text not null unique,
  everywhere integer not null, -- all accounts, or those in role_account
  created_at integer not null
) strict;

create table role_permission (
  role_id blob not null references role (id),
  permission text not null,
  primary key (role_id, permission)
) strict;

create table role_account (
  role_id blob not null references role (id),
  account_id blob not null,
  primary key (role_id, account_id)
) strict;

create table staff_role (
  staff_id blob not null references staff_member (id),
  role_id blob not null references role (id),
  primary key (staff_id, role_id)
) strict;

-- What a member may do and where. Other rooms' SQL reads it to apply a permit's scope; it is the only thing of this room they read.
create view staff_scope as
select sr.staff_id, rp.permission, r.everywhere, ra.account_id
from staff_role sr
join staff_member m on m.id = sr.staff_id and m.disabled_at is null
join role r on r.id = sr.role_id
join role_permission rp on rp.role_id = r.id
left join role_account ra on ra.role_id = r.id;

create table session (
  id_hash blob not null primary key, -- SHA-256 of the cookie's value
  staff_id blob references staff_member (id),
  data text not null, -- JSON
  created_at integer not null,
  expires_at integer not null
) strict;
create index session_of_staff on session (staff_id);
create index session_expiry on session (expires_at);

create table invitation (
  token_hash blob not null primary key,
  staff_id blob not null references staff_member (id),
  expires_at integer not null,
  used_at integer
) strict;

create table sign_in_failure (
  id blob not null primary key,
  subject_hash blob not null, -- SHA-256 of the e-mail or the address
  at integer not null
) strict;
create index sign_in_failure_of on sign_in_failure (subject_hash, at);

create table audit_entry (
  id blob not null primary key, -- UUIDv7: sorts by time
  at integer not null,
  actor_kind text not null, -- staff, api, system
  actor_id blob,
  actor_name text not null,
  action text not null,
  account_id blob,
  line_id blob,
  subject_id blob,
  before text, -- JSON
  after text -- JSON
) strict;
create index audit_of_line on audit_entry (line_id, id);
create index audit_of_account on audit_entry (account_id, id);
