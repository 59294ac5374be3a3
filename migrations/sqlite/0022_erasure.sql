-- The key of a contact: what the audit says of their number stands sealed under it. Deleting the key makes that unreadable, and the
-- audit's seal stays good.
create table contact_key (
  id blob not null primary key,
  account_id blob not null references account (id),
  number text not null,
  key text not null, -- sealed with the installation's key
  unique (account_id, number)
) strict;

-- The erasure of one contact: asked for, and done. Once it is done it holds no number.
create table erasure (
  id blob not null primary key,
  account_id blob not null references account (id),
  reference text not null, -- of the request, as staff wrote it
  number text, -- sealed; null when it is done
  asked_by text not null,
  asked_at integer not null,
  done_by text,
  done_at integer,
  counts text -- JSON: what was erased, and what stays
) strict;
create index erasure_of_account on erasure (account_id, id);
create index erasure_open on erasure (asked_at) where done_at is null;

-- An erased contact who had opted out is never texted again: the number is kept as a hash.
create table erased_opt_out (
  line_id blob not null references line (id),
  number_hash text not null, -- SHA-256 of the salt and the number
  account_id blob not null,
  at integer not null,
  primary key (line_id, number_hash)
) strict;
-- One row: what the hashes are salted with.
create table erasure_salt (
  one text not null primary key, -- 'salt'
  salt blob not null
) strict;

-- Messages of a line without conversations, by their contact.
create index message_without_conversation on message (line_id, number) where conversation_id is null;
