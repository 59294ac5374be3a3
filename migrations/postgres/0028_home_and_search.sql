-- What Home counts and what the search finds by.

-- Names in lower case, as far as letters of ASCII go, and numbers read from their end. Generated, so that no writer can forget them.
alter table account add column folded text collate "C" generated always as (lower(name)) stored;
create index account_folded on account (folded, id);
alter table account_user add column folded text collate "C" generated always as (lower(name)) stored;
create index account_user_folded on account_user (folded, account_id, id);
create index account_user_email on account_user (email, account_id, id);
alter table contact add column folded text collate "C" generated always as (lower(name)) stored;
create index contact_folded on contact (folded, account_id, number);
alter table line add column folded text collate "C" generated always as (lower(label)) stored;
create index line_folded on line (folded, id);
alter table staff_member add column folded text collate "C" generated always as (lower(name)) stored;
create index staff_member_folded on staff_member (folded, id);

alter table contact add column tail text collate "C" generated always as (reverse(number)) stored;
create index contact_tail on contact (tail, account_id, number);
-- In place of the index by number: a whole number is found by its end, too, and what comes in writes no more indexes than before.
alter table conversation add column tail text collate "C" generated always as (reverse(number)) stored;
create index conversation_tail on conversation (tail, line_id);
drop index conversation_of_number;

-- The ends of a line's number, from all of it to its last three digits: any part of the number is the beginning of one of them.
create table line_digits (
  line_id uuid not null references line (id),
  digits text collate "C" not null,
  primary key (line_id, digits)
);
create index line_digits_of on line_digits (digits, line_id);
with recursive line_end (line_id, digits) as (
  select id, replace(number, '+', '') from line
  union all
  select line_id, substr(digits, 2) from line_end where length(digits) > 3
)
insert into line_digits (line_id, digits) select line_id, digits from line_end;

-- A search that has a page of its own: what was typed stands sealed for an hour, and in no URL.
create table kept_search (
  staff_id uuid not null references staff_member (id),
  id uuid not null,
  at bigint not null,
  typed text not null, -- sealed
  primary key (staff_id, id)
);
create index kept_search_age on kept_search (at);

-- Connections in trouble are few among many.
create index connection_paused on connection (paused_at) where paused_at is not null;
create index connection_refused on connection_token (refused_until) where refused_until is not null;
create index subscription_in_trouble on subscription (connection_id) where last_error is not null;

-- Figures are kept by the day, too, for a month of many accounts; and all accounts together by the hour, summed up once a minute.
insert into figure (account_id, span, at, name, value)
select account_id, 'day', at - at % 86400000000, name,
  case when name like 'held%' or name like 'queued%' then max(value) else cast(sum(value) as bigint) end
from figure
where span = 'hour'
group by account_id, at - at % 86400000000, name;
create table figure_total (
  at bigint not null, -- the hour's beginning
  name text collate "C" not null,
  value bigint not null,
  primary key (at, name)
);
insert into figure_total (at, name, value) select at, name, cast(sum(value) as bigint) from figure where span = 'hour' group by at, name;
