-- What a member of the staff has just done, and what takes it back. A step is of use for a minute and deleted soon after: it may hold a
-- contact's name and note.
create table undo_step (
  id uuid not null primary key,
  staff_id uuid not null references staff_member (id),
  made_at bigint not null,
  what text not null, -- what was done, in words; nothing of contacts
  steps text not null -- JSON: the acts that take it back
);
create index undo_step_of_member on undo_step (staff_id, made_at);
create index undo_step_by_time on undo_step (made_at);

-- When a line that left RingCentral skipped what it held: whoever takes that back holds the same messages again and no others.
alter table sync_entry add column skipped_at bigint;
create index sync_entry_skipped on sync_entry (line_id, skipped_at) where skipped_at is not null;
