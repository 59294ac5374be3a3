-- What staff have set aside nags nobody until it is brought back.

-- A number that is texted and is no line. Its messages are marked, so that those of others are read and counted along an index, however
-- often it is texted.
create table unknown_aside (
  number text collate "C" primary key,
  reason text not null,
  set_by text not null, -- name
  set_at bigint not null
);
create index unknown_aside_newest on unknown_aside (set_at, number);
alter table unknown_inbound add column aside_at bigint;
create index unknown_inbound_open on unknown_inbound (id) where aside_at is null;

-- A finding about a line, with what it was about: another owner or another type of the line brings it back.
create table finding_aside (
  line_id uuid not null references line (id),
  kind text collate "C" not null,
  owner_id uuid not null, -- the account that owned the line then
  integration_type text collate "C" not null, -- the line's type then
  reason text not null,
  set_by text not null, -- name
  set_at bigint not null,
  primary key (line_id, kind)
);
