-- Chats that are read since events may have been lost: what cannot be read is tried less and less, and what somebody waits for comes first.
alter table chat add column catch_up_attempts bigint not null default 0; -- readings in a row that failed
alter table chat add column awaited_since bigint; -- what was written in it since then waits for its reading

-- The look for chats with news after a gap. A list of the latest may not reach back far enough: then all of them are looked through.
alter table subscription add column news_seen_at bigint; -- when the last look began that saw all news; null when there was none
alter table subscription add column news_begun_at bigint; -- when the look under way began
alter table subscription add column news_page text; -- the page that is next; empty for the first one, null while the latest are enough
alter table subscription add column news_due_at bigint; -- it is under way, or waits, until then
update subscription set news_seen_at = changed_at;

-- A word to an agent that nobody could bring.
alter table notice add column given_up_at bigint;
create index notice_given_up on notice (line_id, connection_id, chat_id) where given_up_at is not null;
