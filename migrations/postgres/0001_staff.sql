-- Staff: who works here, what they may do, their sessions, and the audit of what they did.

-- What SQLite has built in, by the same names, so that set-wise statements are one text on both engines.
create function json_each(list text) returns table (key bigint, value jsonb) language sql immutable parallel safe
  as $$ select n - 1, item from jsonb_array_elements(list::jsonb) with ordinality as t (item, n) $$;
create function unhex(id text, ignored text) returns uuid language sql immutable parallel safe
  as $$ select id::uuid $$;

create table staff_member (
  id uuid primary key,
  email text collate "C" not null unique, -- lower case
  name text collate "C" not null,
  password_hash text, -- argon2id PHC string; null until the invitation is accepted
  disabled_at bigint,
  created_at bigint not null,
  version bigint not null
);

create table role (
  id uuid primary key,
  name text collate "C" not null unique,
  everywhere boolean not null, -- all accounts, or those in role_account
  created_at bigint not null
);

create table role_permission (
  role_id uuid not null references role (id),
  permission text collate "C" not null,
  primary key (role_id, permission)
);

create table role_account (
  role_id uuid not null references role (id),
  account_id uuid not null,
  primary key (role_id, account_id)
);

create table staff_role (
  staff_id uuid not null references staff_member (id),
  role_id uuid not null references role (id),
  primary key (staff_id, role_id)
);

-- What a member may do and where. Other rooms' SQL reads it to apply a permit's scope; it is the only thing of this room they read.
create view staff_scope as
select sr.staff_id, rp.permission, r.everywhere, ra.account_id
from staff_role sr
join staff_member m on m.id = sr.staff_id and m.disabled_at is null
join role r on r.id = sr.role_id
join role_permission rp on rp.role_id = r.id
left join role_account ra on ra.role_id = r.id;

create table session (
  id_hash bytea primary key, -- SHA-256 of the cookie's value
  staff_id uuid references staff_member (id),
  data text not null, -- JSON
  created_at bigint not null,
  expires_at bigint not null
);
create index session_of_staff on session (staff_id);
create index session_expiry on session (expires_at);

create table invitation (
  token_hash bytea primary key,
  staff_id uuid not null references staff_member (id),
  expires_at bigint not null,
  used_at bigint
);

create table sign_in_failure (
  id uuid primary key,
  subject_hash bytea not null, -- SHA-256 of the e-mail or the address
  at bigint not null
);
create index sign_in_failure_of on sign_in_failure (subject_hash, at);

create table audit_entry (
  id uuid primary key, -- UUIDv7: sorts by time
  at bigint not null,
  actor_kind text collate "C" not null, -- staff, api, system
  actor_id uuid,
  actor_name text collate "C" not null,
  action text collate "C" not null,
  account_id uuid,
  line_id uuid,
  subject_id uuid,
  before text, -- JSON
  after text -- JSON
);
create index audit_of_line on audit_entry (line_id, id);
create index audit_of_account on audit_entry (account_id, id);
