-- Messaging: what was texted, with whom, and whether they want it. line_id comes first in every key, so that rows can be
-- distributed by line and a transfer never changes the distribution key.

create table consent (
  line_id uuid not null references line (id),
  number text collate "C" not null,
  account_id uuid not null,
  state text collate "C" not null, -- opted_in, opted_out
  source text collate "C" not null, -- keyword, staff
  at bigint not null,
  primary key (line_id, number)
);

create table conversation (
  line_id uuid not null references line (id),
  id uuid not null,
  account_id uuid not null,
  number text collate "C" not null,
  last_at bigint not null, -- of its newest message
  primary key (line_id, id),
  unique (line_id, number)
);
create index conversation_newest on conversation (line_id, last_at, id);

create table message (
  line_id uuid not null references line (id),
  id uuid not null,
  account_id uuid not null,
  conversation_id uuid, -- null on a line of type none
  number text collate "C" not null, -- the contact's
  direction text collate "C" not null, -- inbound, outbound
  origin text collate "C", -- of an outbound one: agent, blast, api, responder
  body text not null,
  others text, -- JSON: the other numbers of a group text
  media text, -- JSON: url and content type of each attachment
  state text collate "C" not null,
  error text,
  carrier_id text collate "C",
  carrier_at bigint, -- the carrier's time, for display
  created_at bigint not null, -- ours
  accepted_at bigint, -- when the carrier took an outbound one; ours
  blast_id uuid,
  answers uuid, -- the inbound message that a responder answers
  due_at bigint, -- when an outbound one may be sent next; null when there is nothing to send
  attempts bigint not null,
  primary key (line_id, id)
);
create unique index message_by_carrier_id on message (line_id, direction, carrier_id) where carrier_id is not null;
create index message_of_conversation on message (line_id, conversation_id, id) where conversation_id is not null;
create index message_due on message (due_at, line_id, id) where due_at is not null;
create index message_of_blast on message (line_id, blast_id, id) where blast_id is not null;

create table blast (
  line_id uuid not null references line (id),
  id uuid not null,
  account_id uuid not null,
  body text not null,
  state text collate "C" not null, -- recording, sending, sent, cancelled
  created_by text collate "C" not null,
  created_at bigint not null,
  recipients bigint not null, -- as given
  recorded bigint not null, -- messages made
  opted_out bigint not null,
  duplicates bigint not null,
  primary key (line_id, id)
);
create index blast_recording on blast (state, id) where state = 'recording';

-- Recipients that are not yet messages: a chunk goes in the transaction that records it.
create table blast_chunk (
  line_id uuid not null,
  blast_id uuid not null,
  n bigint not null,
  numbers text not null, -- JSON
  primary key (line_id, blast_id, n),
  foreign key (line_id, blast_id) references blast (line_id, id)
);

-- What came in for a number that is no line of ours: stored and shown, not dropped.
create table unknown_inbound (
  id uuid primary key,
  carrier_id text collate "C" not null unique,
  from_number text collate "C" not null,
  to_number text collate "C" not null,
  body text not null,
  received_at bigint not null
);

create table idempotency_key (
  account_id uuid not null references account (id),
  key text collate "C" not null,
  request_hash bytea not null, -- SHA-256 of method, path and body
  status bigint not null,
  answer text not null,
  created_at bigint not null,
  primary key (account_id, key)
);
create index idempotency_key_age on idempotency_key (created_at);
