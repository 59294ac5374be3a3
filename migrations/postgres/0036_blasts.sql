-- A blast that staff have written and not sent yet: sealed, its writer's own, for an hour.
create table blast_draft (
  staff_id uuid not null references staff_member (id),
  id uuid not null,
  at bigint not null,
  sealed text not null,
  primary key (staff_id, id)
);
create index blast_draft_age on blast_draft (at);

-- A blast that has not begun can be changed, as it was seen.
alter table blast add column version bigint not null default 0;
