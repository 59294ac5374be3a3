-- Sync: what RingCentral knows of, what it does not, and the ordered deliveries between the two.

-- An account's sign-in to RingCentral and the budget that all workers share.
create table connection (
  id blob not null primary key,
  account_id blob not null unique references account (id),
  base_url text not null,
  client_id text not null,
  client_secret text not null,
  jwt text not null,
  posts_per_minute integer, -- null: no limit
  posts_per_day integer,
  parked_until integer, -- nobody calls before
  parked_reason text,
  day_started_at integer not null,
  day_calls integer not null,
  created_at integer not null,
  version integer not null
) strict;

-- The calls of the last minute, so that the budget is exact in any 60 seconds.
create table connection_call (
  connection_id blob not null references connection (id),
  id blob not null,
  at integer not null,
  primary key (connection_id, id)
) strict;
create index connection_call_at on connection_call (connection_id, at);

-- One conversation's deliveries, worked under a lease.
create table lane (
  line_id blob not null,
  conversation_id blob not null,
  account_id blob not null,
  next_seq integer not null,
  held integer not null, -- entries in state held
  queued integer not null, -- entries in state queued
  trouble integer not null, -- 0 in sync, 1 held, 2 delivering, 3 stalled: the sort key of the Sync list
  changed_at integer not null,
  due_at integer, -- when a worker may take it; null when there is nothing to deliver
  lease_until integer,
  fence integer not null, -- grows with each lease; writes of an older one touch no row
  attempts integer not null,
  stalled_since integer,
  stalled_reason text,
  left_out integer not null, -- older messages that the next release leaves out
  connection_id blob,
  chat_id text,
  chat_reference text, -- of the chat that was asked for and whose answer is not known
  chat_asked_at integer,
  primary key (line_id, conversation_id),
  foreign key (line_id, conversation_id) references conversation (line_id, id)
) strict;
create index lane_due on lane (due_at, line_id, conversation_id) where due_at is not null;
create index lane_trouble on lane (trouble, changed_at, line_id, conversation_id) where trouble > 0;
create index lane_trouble_of_account on lane (account_id, trouble, changed_at, line_id, conversation_id) where trouble > 0;
create index lane_trouble_of_line on lane (line_id, trouble, changed_at, conversation_id) where trouble > 0;

-- One message on its way into a RingCentral chat.
create table sync_entry (
  line_id blob not null,
  message_id blob not null,
  account_id blob not null,
  conversation_id blob not null,
  state text not null, -- held, queued, posted, skipped, failed
  inbound integer not null,
  accepted_at integer, -- a held one is releasable when this is set
  seq integer, -- its place in the lane, for good
  alone integer not null, -- its bundle was refused: it travels by itself
  intent_id blob,
  post_id text,
  posted_at integer,
  reason text,
  primary key (line_id, message_id),
  foreign key (line_id, message_id) references message (line_id, id)
) strict;
create index sync_entry_held on sync_entry (line_id, conversation_id, accepted_at, message_id) where state = 'held';
create index sync_entry_queued on sync_entry (line_id, conversation_id, seq) where state = 'queued';
create index sync_entry_of_intent on sync_entry (line_id, intent_id) where intent_id is not null;

-- The wish to make one post, committed before the call.
create table intent (
  line_id blob not null,
  id blob not null,
  conversation_id blob not null,
  account_id blob not null,
  connection_id blob not null,
  chat_id text not null,
  reference text not null, -- stands in the post
  body text, -- dropped when it is settled
  state text not null, -- open, posted, refused, withdrawn
  made_at integer not null,
  deadline_at integer not null, -- the call ends before
  calls integer not null, -- calls begun; after a second one a double may turn up later
  post_id text,
  settled_at integer,
  watch_at integer, -- when to look for a double; null when there is no need to
  primary key (line_id, id),
  foreign key (line_id, conversation_id) references lane (line_id, conversation_id)
) strict;
create unique index intent_open on intent (line_id, conversation_id) where state = 'open';
create index intent_watched on intent (watch_at) where watch_at is not null;
