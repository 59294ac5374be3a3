-- The client for RingCentral, shared by all workers: its token, its rate groups. Secrets stand sealed in `connection`.

-- The access token of a connection, sealed; one worker at a time fetches it.
create table connection_token (
  connection_id blob not null primary key references connection (id),
  access_token text,
  expires_at integer,
  fetching_until integer, -- a worker is signing in; the others wait
  refused_until integer, -- signing in was refused: nobody tries again before
  refused_reason text
) strict;

-- What RingCentral says of a connection's rate groups (X-Rate-Limit-*), and until when nobody may call in one.
create table connection_group (
  connection_id blob not null references connection (id),
  name text not null, -- light, medium, heavy, auth, posting
  calls integer, -- allowed in a window; null: as configured
  window_seconds integer,
  parked_until integer,
  parked_reason text,
  primary key (connection_id, name)
) strict;

alter table connection_call add column name text not null default 'medium';
drop index connection_call_at;
create index connection_call_at on connection_call (connection_id, name, at);

alter table connection drop column parked_until;
alter table connection drop column parked_reason;
alter table connection add column paused_at integer;
alter table connection add column last_error text;
alter table connection add column last_error_at integer;
