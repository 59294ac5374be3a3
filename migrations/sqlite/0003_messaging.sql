-- Messaging: what was texted, with whom, and whether they want it. line_id comes first in every key, so that rows can be
-- distributed by line and a transfer never changes the distribution key.

create table consent (
  line_id blob not null references line (id),
  number text not null,
  account_id blob not null,
  state text not null, -- opted_in, opted_out
  source text not null, -- keyword, staff
  at integer not null,
  primary key (line_id, number)
) strict;

create table conversation (
  line_id blob not null references line (id),
  id blob not null,
  account_id blob not null,
  number text not null,
  last_at integer not null, -- of its newest message
  primary key (line_id, id),
  unique (line_id, number)
) strict;
create index conversation_newest on conversation (line_id, last_at, id);

create table message (
  line_id blob not null references line (id),
  id blob not null,
  account_id blob not null,
  conversation_id blob, -- null on a line of type none
  number text not null, -- the contact's
  direction text not null, -- inbound, outbound
  origin text, -- of an outbound one: agent, blast, api, responder
  body text not null,
  others text, -- JSON: the other numbers of a group text
  media text, -- JSON: url and content type of each attachment
  state text not null,
  error text,
  carrier_id text,
  carrier_at integer, -- the carrier's time, for display
  created_at integer not null, -- ours
  accepted_at integer, -- when the carrier took an outbound one; ours
  blast_id blob,
  answers blob, -- the inbound message that a responder answers
  due_at integer, -- when an outbound one may be sent next; null when there is nothing to send
  attempts integer not null,
  primary key (line_id, id)
) strict;
create unique index message_by_carrier_id on message (line_id, direction, carrier_id) where carrier_id is not null;
create index message_of_conversation on message (line_id, conversation_id, id) where conversation_id is not null;
create index message_due on message (due_at, line_id, id) where due_at is not null;
create index message_of_blast on message (line_id, blast_id, id) where blast_id is not null;

create table blast (
  line_id blob not null references line (id),
  id blob not null,
  account_id blob not null,
  body text not null,
  state text not null, -- recording, sending, sent, cancelled
  created_by text not null,
  created_at integer not null,
  recipients integer not null, -- as given
  recorded integer not null, -- messages made
  opted_out integer not null,
  duplicates integer not null,
  primary key (line_id, id)
) strict;
create index blast_recording on blast (state, id) where state = 'recording';

-- Recipients that are not yet messages: a chunk goes in the transaction that records it.
create table blast_chunk (
  line_id blob not null,
  blast_id blob not null,
  n integer not null,
  numbers text not null, -- JSON
  primary key (line_id, blast_id, n),
  foreign key (line_id, blast_id) references blast (line_id, id)
) strict;

-- What came in for a number that is no line of ours: stored and shown, not dropped.
create table unknown_inbound (
  id blob not null primary key,
  carrier_id text not null unique,
  from_number text not null,
  to_number text not null,
  body text not null,
  received_at integer not null
) strict;

create table idempotency_key (
  account_id blob not null references account (id),
  key text not null,
  request_hash blob not null, -- SHA-256 of method, path and body
  status integer not null,
  answer text not null,
  created_at integer not null,
  primary key (account_id, key)
) strict;
create index idempotency_key_age on idempotency_key (created_at);
