-- What was taken over from the platform's first version, so that nothing is taken over twice. It holds no personal data; messages need no
-- entry: their ids are made of their time and of the id that they had.
create table v1_record (
  account_id blob not null references account (id),
  kind text not null, -- line, contact, conversation
  v1_id text not null,
  v2_id blob not null, -- of a contact, which has no id here: made of the id that it had
  v2_line blob, -- of a conversation: its line
  primary key (account_id, kind, v1_id)
) strict;
