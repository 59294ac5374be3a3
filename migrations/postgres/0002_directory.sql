-- The directory: accounts, their people and contacts, and the lines.

create table account (
  id uuid primary key,
  name text collate "C" not null unique,
  sends_blasts boolean not null, -- the product Blast
  has_conversations boolean not null, -- the product Conversation
  created_at bigint not null,
  version bigint not null
);

create table account_user (
  id uuid primary key,
  account_id uuid not null references account (id),
  name text collate "C" not null,
  email text collate "C" not null,
  created_at bigint not null
);
create index account_user_of on account_user (account_id, name);

create table contact (
  account_id uuid not null references account (id),
  number text collate "C" not null,
  name text collate "C" not null,
  primary key (account_id, number)
);

create table api_token (
  token_hash bytea primary key, -- SHA-256
  account_id uuid not null references account (id),
  name text collate "C" not null,
  created_at bigint not null,
  revoked_at bigint
);

create table line (
  id uuid primary key,
  account_id uuid not null references account (id),
  number text collate "C" not null unique,
  label text collate "C" not null,
  search text collate "C" not null, -- label and account name in lower case
  integration_type text collate "C" not null,
  created_at bigint not null,
  version bigint not null
);
create index line_of_account on line (account_id, number);

create table line_user (
  line_id uuid not null references line (id),
  user_id uuid not null references account_user (id),
  primary key (line_id, user_id)
);

create table responder (
  line_id uuid not null references line (id),
  id uuid not null,
  keyword text collate "C" not null, -- lower case
  reply text not null,
  primary key (line_id, id),
  unique (line_id, keyword)
);
