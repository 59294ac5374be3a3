-- What the audit does not repeat: who did the same thing again within ten minutes is not written down again.
create table audit_pause (
  who blob not null, -- the member; zeros: somebody who is not signed in
  what text not null,
  at integer not null, -- of the last entry
  primary key (who, what)
) strict;
create index audit_pause_age on audit_pause (at);
