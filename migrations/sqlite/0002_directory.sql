-- The directory: accounts, their people and contacts, and the lines.

create table account (
  id blob not null primary key,
  name text not null unique,
  sends_blasts integer not null, -- the product Blast
  has_conversations integer not null, -- the product Conversation
  created_at integer not null,
  version integer not null
) strict;

create table account_user (
  id blob not null primary key,
  account_id blob not null references account (id),
  name text not null,
  email text not null,
  created_at integer not null
) strict;
create index account_user_of on account_user (account_id, name);

create table contact (
  account_id blob not null references account (id),
  number text not null,
  name text not null,
  primary key (account_id, number)
) strict;

create table api_token (
  token_hash blob not null primary key, -- SHA-256
  account_id blob not null references account (id),
  name text not null,
  created_at integer not null,
  revoked_at integer
) strict;

create table line (
  id blob not null primary key,
  account_id blob not null references account (id),
  number text not null unique,
  label text not null,
  search text not null, -- label and account name in lower case
  integration_type text not null,
  created_at integer not null,
  version integer not null
) strict;
create index line_of_account on line (account_id, number);

create table line_user (
  line_id blob not null references line (id),
  user_id blob not null references account_user (id),
  primary key (line_id, user_id)
) strict;

create table responder (
  line_id blob not null references line (id),
  id blob not null,
  keyword text not null, -- lower case
  reply text not null,
  primary key (line_id, id),
  unique (line_id, keyword)
) strict;
