-- An event that comes says nothing of one that was lost before it: a chat with events is read within the hour.
alter table chat add column checked_up_to text collate "C"; -- the time of the newest post when the chat was last read
alter table chat add column check_at bigint; -- when it is read next; null without events since
create index chat_check on chat (check_at) where check_at is not null;
update chat set checked_up_to = read_up_to;
