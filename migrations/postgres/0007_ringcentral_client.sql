-- The client for RingCentral, shared by all workers: its token, its rate groups. Secrets stand sealed in `connection`.

-- The access token of a connection, sealed; one worker at a time fetches it.
create table connection_token (
  connection_id uuid primary key references connection (id),
  access_token text,
  expires_at bigint,
  fetching_until bigint, -- a worker is signing in; the others wait
  refused_until bigint, -- signing in was refused: nobody tries again before
  refused_reason text
);

-- What RingCentral says of a connection's rate groups (X-Rate-Limit-*), and until when nobody may call in one.
create table connection_group (
  connection_id uuid not null references connection (id),
  name text collate "C" not null, -- light, medium, heavy, auth, posting
  calls bigint, -- allowed in a window; null: as configured
  window_seconds bigint,
  parked_until bigint,
  parked_reason text,
  primary key (connection_id, name)
);

alter table connection_call add column name text collate "C" not null default 'medium';
drop index connection_call_at;
create index connection_call_at on connection_call (connection_id, name, at);

alter table connection drop column parked_until;
alter table connection drop column parked_reason;
alter table connection add column paused_at bigint;
alter table connection add column last_error text;
alter table connection add column last_error_at bigint;
