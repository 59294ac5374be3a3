-- What Home counts and what the search finds by.

-- Names in lower case, as far as letters of ASCII go, and numbers read from their end. Generated, so that no writer can forget them.
alter table account add column folded text generated always as (lower(name)) virtual;
create index account_folded on account (folded, id);
alter table account_user add column folded text generated always as (lower(name)) virtual;
create index account_user_folded on account_user (folded, account_id, id);
create index account_user_email on account_user (email, account_id, id);
alter table contact add column folded text generated always as (lower(name)) virtual;
create index contact_folded on contact (folded, account_id, number);
alter table line add column folded text generated always as (lower(label)) virtual;
create index line_folded on line (folded, id);
alter table staff_member add column folded text generated always as (lower(name)) virtual;
create index staff_member_folded on staff_member (folded, id);

-- A number has 16 signs at most.
alter table contact add column tail text generated always as (
  substr(number, -1, 1) || substr(number, -2, 1) || substr(number, -3, 1) || substr(number, -4, 1)
  || substr(number, -5, 1) || substr(number, -6, 1) || substr(number, -7, 1) || substr(number, -8, 1)
  || substr(number, -9, 1) || substr(number, -10, 1) || substr(number, -11, 1) || substr(number, -12, 1)
  || substr(number, -13, 1) || substr(number, -14, 1) || substr(number, -15, 1) || substr(number, -16, 1)
) virtual;
create index contact_tail on contact (tail, account_id, number);
-- In place of the index by number: a whole number is found by its end, too, and what comes in writes no more indexes than before.
alter table conversation add column tail text generated always as (
  substr(number, -1, 1) || substr(number, -2, 1) || substr(number, -3, 1) || substr(number, -4, 1)
  || substr(number, -5, 1) || substr(number, -6, 1) || substr(number, -7, 1) || substr(number, -8, 1)
  || substr(number, -9, 1) || substr(number, -10, 1) || substr(number, -11, 1) || substr(number, -12, 1)
  || substr(number, -13, 1) || substr(number, -14, 1) || substr(number, -15, 1) || substr(number, -16, 1)
) virtual;
create index conversation_tail on conversation (tail, line_id);
drop index conversation_of_number;

-- The ends of a line's number, from all of it to its last three digits: any part of the number is the beginning of one of them.
create table line_digits (
  line_id blob not null references line (id),
  digits text not null,
  primary key (line_id, digits)
) strict;
create index line_digits_of on line_digits (digits, line_id);
with recursive line_end (line_id, digits) as (
  select id, replace(number, '+', '') from line
  union all
  select line_id, substr(digits, 2) from line_end where length(digits) > 3
)
insert into line_digits (line_id, digits) select line_id, digits from line_end;

-- A search that has a page of its own: what was typed stands sealed for an hour, and in no URL.
create table kept_search (
  staff_id blob not null references staff_member (id),
  id blob not null,
  at integer not null,
  typed text not null, -- sealed
  primary key (staff_id, id)
) strict;
create index kept_search_age on kept_search (at);

-- Connections in trouble are few among many.
create index connection_paused on connection (paused_at) where paused_at is not null;
create index connection_refused on connection_token (refused_until) where refused_until is not null;
create index subscription_in_trouble on subscription (connection_id) where last_error is not null;

-- Figures are kept by the day, too, for a month of many accounts; and all accounts together by the hour, summed up once a minute.
insert into figure (account_id, span, at, name, value)
select account_id, 'day', at - at % 86400000000, name,
  case when name like 'held%' or name like 'queued%' then max(value) else sum(value) end
from figure
where span = 'hour'
group by account_id, at - at % 86400000000, name;
create table figure_total (
  at integer not null, -- the hour's beginning
  name text not null,
  value integer not null,
  primary key (at, name)
) strict;
insert into figure_total (at, name, value) select at, name, sum(value) from figure where span = 'hour' group by at, name;
