-- What RingCentral tells us: one webhook subscription a connection, its events, and what agents write in chats of ours.

create table subscription (
  connection_id blob not null primary key references connection (id),
  hook text not null unique, -- the part of the webhook's path that nobody can guess
  verification_token text not null, -- sealed; stands in the head of each event
  remote_id text, -- RingCentral's id; null while there is none
  expires_at integer,
  due_at integer not null, -- when it is looked at next
  lease_until integer,
  fence integer not null,
  attempts integer not null,
  last_error text,
  heard_at integer, -- the newest event
  gap_at integer, -- events may have been lost before; null when the chats have been read
  changed_at integer not null
) strict;
create index subscription_due on subscription (due_at);

create table ringcentral_event (
  connection_id blob not null references connection (id),
  id blob not null, -- ours: the order in which they came
  uuid text not null, -- RingCentral's: the same event again has the same one
  event text not null, -- the filter that it answers
  body text, -- dropped when it is worked off
  received_at integer not null,
  state text not null, -- new, done
  primary key (connection_id, id),
  unique (connection_id, uuid)
) strict;
create index ringcentral_event_new on ringcentral_event (connection_id, id) where state = 'new';
create index ringcentral_event_age on ringcentral_event (received_at);

-- Which conversation a chat shows, also when its line has moved on.
create table chat (
  connection_id blob not null,
  chat_id text not null,
  line_id blob not null,
  conversation_id blob not null,
  made_at integer not null,
  catch_up_at integer, -- when its posts are read, since events may have been lost
  read_up_to text, -- the time of the newest post that was seen, as RingCentral writes it
  primary key (connection_id, chat_id)
) strict;
create index chat_of_line on chat (line_id, conversation_id);
create index chat_catch_up on chat (catch_up_at) where catch_up_at is not null;

insert into chat (connection_id, chat_id, line_id, conversation_id, made_at)
select connection_id, chat_id, line_id, conversation_id, changed_at from lane
where chat_id is not null and connection_id is not null;

-- What an agent wrote in a chat, and what became of it.
create table agent_post (
  line_id blob not null,
  post_id text not null,
  conversation_id blob not null,
  account_id blob not null,
  connection_id blob not null,
  chat_id text not null,
  creator_id text not null,
  outcome text not null, -- sent, opted_out, not_connected, moved, empty
  seen_at integer not null,
  edited_at integer,
  removed_at integer,
  primary key (line_id, post_id)
) strict;
create index agent_post_by_id on agent_post (connection_id, post_id);

-- A short word of ours to the agent, in the chat.
create table notice (
  line_id blob not null,
  id blob not null,
  connection_id blob not null,
  chat_id text not null,
  reference text not null, -- stands in it, so that it is found after a lost answer
  body text not null,
  due_at integer, -- null when it is done
  asked_at integer, -- the first call that may have had effect
  attempts integer not null,
  primary key (line_id, id)
) strict;
create index notice_due on notice (due_at) where due_at is not null;
