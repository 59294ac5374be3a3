-- A blast that staff have written and not sent yet: sealed, its writer's own, for an hour.
create table blast_draft (
  staff_id blob not null references staff_member (id),
  id blob not null,
  at integer not null,
  sealed text not null,
  primary key (staff_id, id)
) strict;
create index blast_draft_age on blast_draft (at);

-- A blast that has not begun can be changed, as it was seen.
alter table blast add column version integer not null default 0;
