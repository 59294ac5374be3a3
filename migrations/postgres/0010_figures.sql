-- What was counted and sampled, so that a screen can draw the last hour, day and month without counting again.

-- A counter or a sample of an account, kept by the minute for two days and by the hour for a year.
create table figure (
  account_id uuid not null references account (id),
  span text collate "C" not null, -- minute, hour
  at bigint not null, -- its beginning
  name text collate "C" not null, -- posted, failed.<kind>, held.<age>, queued.<age>, stalled
  value bigint not null, -- counters add up; of samples the highest stays
  primary key (account_id, span, at, name)
);
create index figure_age on figure (span, at);

-- What one process of all does every so often.
create table chore (
  name text collate "C" primary key,
  due_at bigint not null
);
insert into chore (name, due_at) values ('sample', 0), ('prune', 0);

-- Since when a lane has had something held, or queued.
alter table lane add column held_since bigint;
alter table lane add column queued_since bigint;
update lane set held_since = changed_at where held > 0;
update lane set queued_since = changed_at where queued > 0;
