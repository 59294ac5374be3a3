-- A blast may start later; one of a line that was transferred may be paused.
alter table blast add column starts_at integer; -- null: at once
create index blast_scheduled on blast (starts_at, line_id, id) where state = 'scheduled';
